import { ProductionError, TaskFailedError } from '../errors.ts';
import type { ConsumedRecord, ProducedRecord, TopicPartition } from '../kafka/port.ts';
import type { DropReason } from '../plan/node.ts';
import { deadLetterOf, type LetterWriter, productionLetterOf } from './dead-letter.ts';
import { handlingOf } from './failure-handling.ts';
import type { RecordMetadata } from './record.ts';
import type { TaskOptions } from './task-options.ts';

/** What a task sends with its next commit, dead letters among it. What no topic would take is handled before it is sent. */
export class TaskOutputs {
  readonly #options: TaskOptions;
  readonly #taskId: string;
  /** Where a punctuator's letters go: it has no record under way. */
  readonly #firstInput: TopicPartition | null;
  readonly #letters: LetterWriter;
  #records: ProducedRecord[] = [];

  constructor(options: TaskOptions, taskId: string, firstInput: TopicPartition | null) {
    const { applicationId: application, limits } = options;
    this.#options = options;
    this.#taskId = taskId;
    this.#firstInput = firstInput;
    this.#letters = { application, task: taskId, ...(limits && { maxBytesOf: (topic) => limits.maxBytesOf(topic) }) };
  }

  get length(): number {
    return this.#records.length;
  }

  /**
   * @param current the record under way, or only where it is from
   * @throws ProductionError – no topic would take it, and the handler says `fail`
   */
  push(node: string, record: ProducedRecord, current: RecordMetadata | null): void {
    const refusal = this.#options.limits?.refusalOf(record) ?? null;
    if (refusal === null) this.#records.push(record);
    else this.refuse(node, record, refusal, current);
  }

  refuse(node: string, record: ProducedRecord, error: ProductionError, current: RecordMetadata | null): void {
    const { onProductionError, applicationId, onDropped } = this.#options;
    const about = { applicationId, taskId: this.#taskId, node, error, record };
    const handling = handlingOf(onProductionError, about, (own) => {
      const text = `onProductionError threw while it was asked about: ${error.message}`;
      return new ProductionError(record.topic, text, { cause: new AggregateError([own, error], text) });
    });
    const metadata = current && { topic: current.topic, partition: current.partition, offset: current.offset };
    const origin = metadata ?? this.#firstInput;
    if (handling === 'fail' || origin === null) throw error;
    if (handling === 'dead-letter') this.#records.push(productionLetterOf(record, error, origin, this.#letters));
    onDropped?.(node, 'production', metadata, error);
  }

  deadLetter(raw: ConsumedRecord, reason: DropReason, cause: unknown): void {
    this.#records.push(deadLetterOf(raw, reason, cause, this.#letters));
  }

  /** Forgets what came after the first `length`. */
  takeBack(length: number): void {
    this.#records.length = length;
  }

  take(): ProducedRecord[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }

  /**
   * @param records changelog entries from `from` on
   * @throws TaskFailedError – state that its changelog does not take would be lost with this instance, so it cannot be left out
   */
  checkState(records: readonly ProducedRecord[], from: number): void {
    const { limits } = this.#options;
    if (limits === undefined) return;
    for (let at = from; at < records.length; at += 1) {
      const refusal = limits.refusalOf(records[at] as ProducedRecord); // below the length
      if (refusal !== null) throw new TaskFailedError(this.#taskId, null, refusal);
    }
  }
}
