/** One recorded case; what its steps and functions mean is in build.ts, functions.ts and processors.ts. */
export type Value = string | number | null;

export interface RecordedRecord {
  readonly topic: string;
  readonly key: string | null;
  readonly value: Value;
  readonly timestamp: number;
}

export type Input = RecordedRecord | { readonly advanceWallClock: number };

export interface RecordedEntry {
  readonly key: string;
  readonly value: Value;
  readonly timestamp?: number;
}

/** One step of a topology; which members it has depends on `op`. */
export interface CaseStep {
  readonly name: string;
  readonly op: string;
  readonly [member: string]: unknown;
}

export interface Case {
  readonly id: string;
  readonly title: string;
  readonly topology: readonly CaseStep[];
  readonly input: readonly Input[];
  readonly readStores?: readonly string[];
  readonly expected: {
    readonly output?: readonly RecordedRecord[];
    readonly stores?: Readonly<Record<string, readonly RecordedEntry[]>>;
    readonly error?: string;
    readonly phase?: 'build' | 'run';
    readonly atInput?: number;
  };
}

/** The case needs what the library does not have. Told apart from a failure: nothing was compared. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError';
}
