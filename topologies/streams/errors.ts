/** Every error the library throws on purpose. `code` is stable, `retriable` says whether the same call may succeed later. */
export abstract class StreamsError extends Error {
  abstract readonly code: string;
  readonly retriable: boolean = false;

  override get name(): string {
    return this.constructor.name;
  }
}

/** The topology cannot be run: a name used twice, a store that is not there, a topic with two sources. Thrown while it is built. */
export class TopologyError extends StreamsError {
  readonly code: string = 'TOPOLOGY';
}

/** A stateful or repartitioning operator has no name of its own, so its topics would be renamed by the next change of the topology. */
export class UnnamedOperatorError extends TopologyError {
  override readonly code = 'UNNAMED_OPERATOR';
}

/** Bytes are needed where no serde is known. */
export class MissingSerdeError extends TopologyError {
  override readonly code = 'MISSING_SERDE';
}

/** A parameter is out of its range. Thrown while the topology is built. */
export class InvalidArgumentError extends StreamsError {
  readonly code = 'INVALID_ARGUMENT';
}

/** A query names what is not there: an application, a store, or a way to read that the store's kind has not. Never a matter of rebalances. */
export class QueryError extends StreamsError {
  readonly code = 'QUERY';
}

/** Topics that are joined by partition have unequal partition counts. Thrown when the application starts. */
export class CoPartitionError extends StreamsError {
  readonly code = 'CO_PARTITION';
}

/** Code of the topology's author threw; `cause` is what it threw and `node` where. Goes to the processing handler. */
export class NodeError extends StreamsError {
  readonly code = 'NODE';
  readonly node: string;

  constructor(node: string, cause: unknown) {
    super(`${node}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.node = node;
  }
}

/** A call of `mapAsync` was not answered in its time. Goes to the processing handler with its record. */
export class CallTimeoutError extends StreamsError {
  readonly code = 'CALL_TIMEOUT';
  override readonly retriable = true;

  constructor(timeoutMs: number) {
    super(
      `not answered in ${timeoutMs} ms; the record goes to the failure handler. Answer sooner, or raise timeoutMs.`,
    );
  }
}

/** A node failed with a record that had been held back (by a suppress or a grace): no handler is asked, the record under way is another one. */
export class HeldRecordError extends NodeError {
  constructor(node: string, cause: unknown) {
    super(
      node,
      new Error(`with a record that had been held back: ${cause instanceof Error ? cause.message : cause}`, { cause }),
    );
  }
}

/** A worker was not closed in its time. What it had not committed comes again; what was in flight is found in the changelogs. */
export class CloseTimeoutError extends StreamsError {
  readonly code = 'CLOSE_TIMEOUT';
  /** Those that were not closed; none: the connections were not. */
  readonly applications: readonly string[];

  constructor(timeoutMs: number, applications: readonly string[]) {
    const what = applications.length > 0 ? applications.join(', ') : 'the connections';
    super(`not closed within ${timeoutMs} ms: ${what}; what was not committed comes again. End the process.`);
    this.applications = applications;
  }
}

/** A rule of the engine was broken, so no handler is asked: going on would give wrong results. */
export class EngineRuleError extends StreamsError {
  readonly code: string = 'ENGINE_RULE';
}

/** A buffer that must not send early is full. It stops the task also where failures make dead letters: that is what was asked for. */
export class BufferFullError extends EngineRuleError {
  override readonly code = 'BUFFER_FULL';
}

/**
 * A record cannot be sent: too large for its topic, of a time that it does not take, without a key for a compacted one, or to a topic that is not there or refuses us. Whether it
 * stops the task is for `onProductionError` to say, not for `onFailure`: the record under way is not at fault. A changelog's always does.
 */
export class ProductionError extends EngineRuleError {
  override readonly code = 'PRODUCTION';
  readonly topic: string;

  constructor(topic: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.topic = topic;
  }
}

/** A piped segment emitted or failed outside the call of its own record, or completed. */
export class PipeRuleError extends EngineRuleError {
  override readonly code = 'PIPE_RULE';
}

/** A task stopped at a record; nothing of that record was kept and its offset is not committed. */
export class TaskFailedError extends StreamsError {
  readonly code = 'TASK_FAILED';
  readonly taskId: string;
  /** Absent when it was outside a record: in init, a punctuator, a piped operator's timer. */
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: number | null;

  constructor(
    taskId: string,
    record: { readonly topic: string; readonly partition: number; readonly offset: number } | null,
    cause: unknown,
  ) {
    const where = record ? ` at ${record.topic}-${record.partition}@${record.offset}` : ' outside a record';
    super(
      `task ${taskId} failed${where}: ${cause instanceof Error ? cause.message : String(cause)}; nothing of it was kept. ` +
        'Correct the cause and start again, or let a handler send such records to the dead-letter topic.',
      { cause },
    );
    this.taskId = taskId;
    this.topic = record?.topic ?? null;
    this.partition = record?.partition ?? null;
    this.offset = record?.offset ?? null;
  }
}

/**
 * A store cannot be filled from its log, where bytes cannot be read. State is never left out, so its application begins again and again until somebody
 * has done what the message names.
 */
export class UnreadableStateError extends StreamsError {
  readonly code = 'UNREADABLE_STATE';
  readonly store: string;
  readonly taskId: string;

  constructor(store: string, taskId: string, cure: string, cause: Error) {
    super(`${store} of task ${taskId} cannot be restored, and nothing of it was started: ${cause.message}. ${cure}`, {
      cause,
    });
    this.store = store;
    this.taskId = taskId;
  }
}
