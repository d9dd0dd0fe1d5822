/** An engine that could not be started or died. The message says what happened, what was not done and the cure. */
export class EngineError extends Error {
  readonly code = 'ENGINE_FAILED';
  readonly engine: string;
  readonly cure: string;
  /** Last lines of the engine's own log, oldest first; empty when it wrote none. */
  readonly logTail: readonly string[];

  constructor(
    engine: string,
    what: string,
    options: { readonly cure: string; readonly logTail?: readonly string[]; readonly cause?: unknown },
  ) {
    super(`${what} Cure: ${options.cure}`, { cause: options.cause });
    this.name = 'EngineError';
    this.engine = engine;
    this.cure = options.cure;
    this.logTail = options.logTail ?? [];
  }
}

const knownFaults: readonly (readonly [pattern: RegExp, cure: string])[] = [
  [/No space left on device|disk full/i, 'free some disk space (2 GB are enough), then start again.'],
  [/Address already in use|BindException|could not bind/i, 'another process took the port in between: start again.'],
  [/UnsupportedClassVersionError/, 'install Java 17 or newer and put it first on the PATH.'],
  [
    /OutOfMemoryError|Cannot allocate memory|could not map anonymous shared memory/i,
    'free some memory (3 GB are enough).',
  ],
  [/Permission denied/i, 'give the user who starts Bookstream the right to write the data folder.'],
  [
    /does not contain any voters|doesn't match the expected|Invalid cluster\.id|incompatible with server|MVStoreException|PANIC/i,
    'the data on disk cannot be read: `npm start -- --reset` begins with empty data.',
  ],
];

/** What a person can do about the last lines of a log; reading the whole log when they fit nothing known. */
export function cureFor(logTail: readonly string[], logFile: string): string {
  const text = logTail.join('\n');
  return knownFaults.find(([pattern]) => pattern.test(text))?.[1] ?? `see ${logFile}.`;
}
