import type {
  BaseOffsets,
  CommittedOffset,
  ConsumedRecord,
  FetchedBatch,
  ProducedRecord,
  TopicPartition,
} from './port.ts';
import { partitionName } from './port.ts';

/** Logs in memory for tests: partitions, offsets and committed positions as on a broker; a commit is one transaction. */
export class InMemoryBroker {
  readonly #logs = new Map<string, ConsumedRecord[][]>();
  readonly #committed = new Map<string, CommittedOffset>();

  /** Told of every record in the order of appending, over all topics. */
  onAppend: ((record: ConsumedRecord) => void) | null = null;

  /** Keeps the count that a topic has. */
  createTopic(topic: string, partitions: number): void {
    if (!this.#logs.has(topic))
      this.#logs.set(
        topic,
        Array.from({ length: partitions }, () => []),
      );
  }

  has(topic: string): boolean {
    return this.#logs.has(topic);
  }

  get topics(): readonly string[] {
    return [...this.#logs.keys()];
  }

  partitionsOf(topic: string): number {
    const log = this.#logs.get(topic);
    if (log === undefined) throw new Error(`there is no topic ${topic}; create it before something is sent to it`);
    return log.length;
  }

  append(records: readonly ProducedRecord[]): BaseOffsets {
    const base = new Map<string, number>();
    let log: ConsumedRecord[] | undefined;
    let last: ProducedRecord | undefined;
    for (const record of records) {
      const { topic, partition, timestamp, key, value, headers } = record;
      if (log === undefined || topic !== last?.topic || partition !== last.partition) {
        const name = partitionName(record);
        log = this.#logs.get(topic)?.[partition];
        if (log === undefined) throw new Error(`there is no ${name}; create the topic first`);
        if (!base.has(name)) base.set(name, log.length);
        last = record;
      }
      const appended = { topic, partition, offset: log.length, timestamp, key, value, headers };
      log.push(appended);
      this.onAppend?.(appended);
    }
    return base;
  }

  commit(groupId: string, offsets: readonly CommittedOffset[]): void {
    for (const offset of offsets) this.#committed.set(`${groupId}/${partitionName(offset)}`, offset);
  }

  committed(groupId: string, partitions: readonly TopicPartition[]): readonly CommittedOffset[] {
    return partitions.flatMap((partition) => this.#committed.get(`${groupId}/${partitionName(partition)}`) ?? []);
  }

  end(partition: TopicPartition): number {
    return this.#logs.get(partition.topic)?.[partition.partition]?.length ?? 0;
  }

  /** At most `max` records from `offset` on. */
  fetch(partition: TopicPartition, offset: number, max = Number.POSITIVE_INFINITY): FetchedBatch {
    const log = this.#logs.get(partition.topic)?.[partition.partition] ?? [];
    const records = log.slice(offset, max === Number.POSITIVE_INFINITY ? undefined : offset + max);
    const end = log.length;
    return {
      topic: partition.topic,
      partition: partition.partition,
      records,
      nextOffset: offset + records.length,
      highWatermark: end,
      lastStableOffset: end,
      logStartOffset: 0,
    };
  }

  /** Every record of a topic, partition by partition. */
  records(topic: string): readonly ConsumedRecord[] {
    return (this.#logs.get(topic) ?? []).flat();
  }
}
