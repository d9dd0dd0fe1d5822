import { ProductionError, TaskFailedError } from '../errors.ts';
import type { ConsumedRecord, Header, ProducedRecord, TopicPartition } from '../kafka/port.ts';
import { type RecordCollector, RecordPack } from '../kafka/record-pack.ts';
import type { DropReason } from '../plan/node.ts';
import type { DirtyRow } from '../state/state-store.ts';
import { deadLetterOf, type LetterWriter, productionLetterOf } from './dead-letter.ts';
import { handlingOf } from './failure-handling.ts';
import type { RecordMetadata } from './record.ts';
import type { TaskOptions } from './task-options.ts';

const noHeaders: readonly Header[] = [];

/** What a task sends with its next commit, dead letters among it. What no topic would take is handled before it is sent. */
export class TaskOutputs {
  readonly #options: TaskOptions;
  readonly #taskId: string;
  /** Where a punctuator's letters go: it has no record under way. */
  readonly #firstInput: TopicPartition | null;
  readonly #letters: LetterWriter;
  readonly #collector: () => RecordCollector;
  #records: RecordCollector;
  /** In the transaction under way. */
  #taken: RecordCollector;

  constructor(options: TaskOptions, taskId: string, firstInput: TopicPartition | null) {
    const { applicationId: application, limits } = options;
    this.#options = options;
    this.#collector = options.collector ?? (() => new RecordPack());
    this.#records = this.#collector();
    this.#taken = this.#collector();
    this.#taskId = taskId;
    this.#firstInput = firstInput;
    this.#letters = { application, task: taskId, ...(limits && { limits }) };
  }

  get length(): number {
    return this.#records.length;
  }

  /**
   * @param current the record under way, or only where it is from
   * @throws ProductionError – no topic would take it, and the handler says `fail`
   */
  push(
    node: string,
    topic: string,
    partition: number,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly Header[],
    current: RecordMetadata | null,
  ): void {
    const refusal = this.#options.limits?.refusalOf(topic, timestamp, key, value, headers) ?? null;
    if (refusal === null) this.#records.append(topic, partition, timestamp, key, value, headers);
    else this.refuse(node, { topic, partition, timestamp, key, value, headers }, refusal, current);
  }

  /**
   * A changelog entry.
   * @throws TaskFailedError – state that its changelog does not take would be lost with this instance, so it cannot be left out
   */
  pushState(topic: string, partition: number, { timestamp, key, value }: DirtyRow): void {
    const refusal = this.#options.limits?.refusalOf(topic, timestamp, key, value, noHeaders) ?? null;
    if (refusal !== null) throw new TaskFailedError(this.#taskId, null, refusal);
    this.#records.append(topic, partition, timestamp, key, value, noHeaders);
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
    if (handling === 'dead-letter') this.#append(productionLetterOf(record, error, origin, this.#letters));
    onDropped?.(node, 'production', metadata, error);
  }

  deadLetter(raw: ConsumedRecord, reason: DropReason, cause: unknown): void {
    this.#append(deadLetterOf(raw, reason, cause, this.#letters));
  }

  #append({ topic, partition, timestamp, key, value, headers }: ProducedRecord): void {
    this.#records.append(topic, partition, timestamp, key, value, headers);
  }

  /** Forgets what came after the first `length`. */
  takeBack(length: number): void {
    this.#records.takeBack(length);
  }

  /** What there is, for one transaction; `sent` says that it is settled. */
  take(): RecordCollector {
    const taken = this.#records;
    this.#records = this.#taken;
    this.#taken = taken;
    return taken;
  }

  sent(): void {
    this.#taken.clear();
  }

  /** A transaction that is under way keeps what it was given. */
  drop(): void {
    this.#records = this.#collector();
    this.#taken = this.#collector();
  }
}
