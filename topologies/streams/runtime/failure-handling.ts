import type { ConsumedRecord, ProducedRecord } from '../kafka/port.ts';

/**
 * What to do with a record that cannot be read, or that a node failed with. `fail`: the task stops at it. `dead-letter`: it goes as it came to
 * `<topic>.dlq`, in the same transaction. `continue`: it is counted, and left out.
 */
export type FailureHandling = 'dead-letter' | 'fail' | 'continue';

/** A record that a node failed with. What it wrote and sent in its task is taken back already. */
export interface Failure {
  readonly applicationId: string;
  readonly taskId: string;
  /** The node that failed. */
  readonly node: string;
  /** What the author's code threw, or the call of a `mapAsync` was rejected with. */
  readonly error: unknown;
  /** As it came to the task. */
  readonly record: ConsumedRecord;
}

/** A record that cannot be sent. What else the record under way wrote and sent stands. */
export interface ProductionFailure {
  readonly applicationId: string;
  readonly taskId: string;
  /** The sink; the topic where an operator sends on its own. */
  readonly node: string;
  /** A `ProductionError`. */
  readonly error: Error;
  /** As it would have been sent. */
  readonly record: ProducedRecord;
}

/**
 * `fail`: the task stops. `continue`: it is counted, and left out. `dead-letter`: likewise, and a letter goes to the dead-letter topic of the input
 * under way (in a punctuator: of the task's first input).
 */
export type ProductionHandler = FailureHandling | ((failure: ProductionFailure) => FailureHandling);

/** A function is synchronous; what it throws stops the task, as `fail` does. */
export type FailureHandler = FailureHandling | ((failure: Failure) => FailureHandling);

/**
 * What a handler says. Absent, it says `fail`.
 * @param told makes the error for what the handler itself has thrown
 */
export function handlingOf<F>(
  handler: FailureHandling | ((failure: F) => FailureHandling) | undefined,
  failure: F,
  told: (thrown: unknown) => Error,
): FailureHandling {
  if (handler === undefined) return 'fail';
  if (typeof handler !== 'function') return handler;
  try {
    return handler(failure);
  } catch (thrown) {
    throw told(thrown);
  }
}
