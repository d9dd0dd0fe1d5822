/** What `bookstream` ends with; `--help` and README name them. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** Something it needs is missing or taken: an engine, a port, Java. */
  precondition: 3,
  invariantViolated: 4,
  partial: 5,
  tryLater: 75,
  timedOut: 124,
  interrupted: 130,
} as const;

/** A refusal whose message is for people: printed without a stack, then the process ends with `exitCode`. */
export class CommandError extends Error {
  readonly exitCode: number;
  readonly detail: readonly string[];

  constructor(message: string, exitCode: number, detail: readonly string[] = []) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.detail = detail;
  }
}
