import { EngineRuleError, HeldRecordError, NodeError, TaskFailedError } from '../errors.ts';
import type { ConsumedRecord } from '../kafka/port.ts';
import type { SourceNode } from '../plan/node.ts';
import { type FailureHandling, handlingOf } from './failure-handling.ts';
import { messageOf } from './log.ts';
import type { NodeContext } from './node-context.ts';
import type { Parking } from './parking.ts';
import type { Unreadable } from './read-record.ts';
import type { TaskOptions } from './task-options.ts';
import type { TaskOutputs } from './task-outputs.ts';
import type { TaskStores } from './task-stores.ts';

/** What becomes of a record that cannot be read, or that a node fails with: the task stops, a dead letter is sent, or it is left out. */
export class RecordFailures {
  readonly #options: TaskOptions;
  readonly #context: NodeContext;
  readonly #stores: TaskStores;
  readonly #outputs: TaskOutputs;
  /** Null: dead letters park nothing. */
  readonly #parking: Parking | null;
  /** What has become of a parked record that is processed again; null: none is under way. */
  #redriving: { isLetterAgain: boolean } | null = null;

  constructor(
    options: TaskOptions,
    context: NodeContext,
    stores: TaskStores,
    outputs: TaskOutputs,
    parking: Parking | null,
  ) {
    this.#options = options;
    this.#context = context;
    this.#stores = stores;
    this.#outputs = outputs;
    this.#parking = parking;
  }

  /** A record that cannot even be read. @throws TaskFailedError – nothing may be kept of it */
  refuse(raw: ConsumedRecord, source: SourceNode, { reason, cause }: Unreadable): void {
    const asked = source.internal === null ? (this.#options.onMalformed ?? 'dead-letter') : 'fail';
    const handling = this.#again(asked);
    if (handling === 'fail') throw new TaskFailedError(this.#context.taskId, raw, cause);
    if (handling === 'dead-letter') {
      this.#outputs.deadLetter(raw, reason, cause);
      this.#parkLetter(raw, source);
    }
    this.#options.onDropped?.(source.name, reason, this.#context.metadata, cause);
    this.#stores.leaveOut(source.name, raw.offset, raw.timestamp, false);
  }

  /**
   * A node failed: what the record wrote and sent is taken back before anything else happens.
   * @param outputs how many there were before it
   * @throws TaskFailedError – nothing may be kept of it
   */
  failedWith(raw: ConsumedRecord, source: SourceNode, outputs: number): void {
    const failure = this.#context.takeFailure();
    this.#context.failures += 1;
    this.#stores.rollBack();
    this.#outputs.takeBack(outputs);
    const node = failure instanceof NodeError ? failure.node : source.name;
    const noHandler = failure instanceof EngineRuleError || failure instanceof HeldRecordError;
    const handling = noHandler ? 'fail' : this.#again(this.#handlingOf(raw, node, failure));
    if (handling === 'fail') throw new TaskFailedError(this.#context.taskId, raw, failure);
    if (handling === 'dead-letter') {
      this.#outputs.deadLetter(raw, 'failed', failure);
      this.#parkLetter(raw, source);
    }
    this.#stores.leaveOut(source.name, raw.offset, raw.timestamp, true);
    this.#options.onDropped?.(node, 'failed', this.#context.metadata, failure);
  }

  /** `take` processes a record that was parked. @returns false: it is a dead letter again */
  redrive(take: () => void): boolean {
    const redriving = { isLetterAgain: false };
    this.#redriving = redriving;
    try {
      take();
    } finally {
      this.#redriving = null;
    }
    return !redriving.isLetterAgain;
  }

  #handlingOf(record: ConsumedRecord, node: string, failure: unknown): FailureHandling {
    const { applicationId, taskId } = this.#context;
    const error = failure instanceof NodeError ? failure.cause : failure;
    return handlingOf(this.#options.onFailure, { applicationId, taskId, node, error, record }, (own) => {
      const text = `onFailure threw while it was asked about: ${messageOf(failure)}`;
      return new TaskFailedError(taskId, record, new AggregateError([own, failure], text));
    });
  }

  /** A record that was parked and fails once more is parked still: nobody's redrive stops the task. */
  #again(handling: FailureHandling): FailureHandling {
    return handling === 'fail' && this.#redriving !== null ? 'dead-letter' : handling;
  }

  /** A dead letter: what comes of its key waits, unless nobody can read the key. */
  #parkLetter(raw: ConsumedRecord, source: SourceNode): void {
    if (this.#redriving !== null) this.#redriving.isLetterAgain = true;
    else if (raw.key !== null && this.#parking !== null && isReadable(source, raw.key))
      this.#parking.park(raw.key, raw);
  }
}

function isReadable(source: SourceNode, key: Uint8Array): boolean {
  try {
    source.keySerde.deserialize(source.topic, key);
    return true;
  } catch {
    return false;
  }
}
