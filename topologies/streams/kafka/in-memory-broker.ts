import type {
  BaseOffsets,
  CommittedOffset,
  ConsumedRecord,
  FetchedBatch,
  ProducedRecord,
  TopicPartition,
} from './port.ts';
import { partitionName } from './port.ts';

interface Log {
  /** Offset of the first record that is still there. */
  start: number;
  records: ProducedRecord[];
}

const at = ({ topic, partition, timestamp, key, value, headers }: ProducedRecord, offset: number): ConsumedRecord => ({
  topic,
  partition,
  offset,
  timestamp,
  key,
  value,
  headers,
});

const endOf = ({ start, records }: Log): number => start + records.length;

/** Logs in memory for tests: partitions, offsets and committed positions as on a broker; a commit is one transaction. */
export class InMemoryBroker {
  readonly #logs = new Map<string, readonly Log[]>();
  readonly #committed = new Map<string, CommittedOffset>();

  /** Told of every record in the order of appending, over all topics. */
  onAppend: ((record: ConsumedRecord) => void) | null = null;

  /** Keeps the count that a topic has. */
  createTopic(topic: string, partitions: number): void {
    if (!this.#logs.has(topic))
      this.#logs.set(
        topic,
        Array.from({ length: partitions }, () => ({ start: 0, records: [] })),
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

  append(records: Iterable<ProducedRecord>): BaseOffsets {
    const base = new Map<string, number>();
    const known = new Set<Log>();
    let topic: string | null = null;
    let logs: readonly Log[] | undefined;
    let last: Log | null = null;
    for (const record of records) {
      if (record.topic !== topic) {
        topic = record.topic;
        logs = this.#logs.get(topic);
      }
      const log = logs?.[record.partition];
      if (log === undefined) throw new Error(`there is no ${partitionName(record)}; create the topic first`);
      if (log !== last) {
        last = log;
        if (!known.has(log)) {
          known.add(log);
          base.set(partitionName(record), endOf(log));
        }
      }
      log.records.push(record);
      this.onAppend?.(at(record, endOf(log) - 1));
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
    const log = this.#logs.get(partition.topic)?.[partition.partition];
    return log === undefined ? 0 : endOf(log);
  }

  /** At most `max` records from `offset` on. */
  fetch(partition: TopicPartition, offset: number, max = Number.POSITIVE_INFINITY): FetchedBatch {
    const log = this.#logs.get(partition.topic)?.[partition.partition] ?? { start: 0, records: [] };
    const from = offset - log.start;
    const records = log.records
      .slice(from, max === Number.POSITIVE_INFINITY ? undefined : from + max)
      .map((record, index) => at(record, offset + index));
    const end = endOf(log);
    return {
      topic: partition.topic,
      partition: partition.partition,
      records,
      nextOffset: offset + records.length,
      highWatermark: end,
      lastStableOffset: end,
      logStartOffset: log.start,
    };
  }

  /** First offset whose record is at least this new; the end where there is none. */
  offsetForTime(partition: TopicPartition, timestampMs: number): number {
    const log = this.#logs.get(partition.topic)?.[partition.partition] ?? { start: 0, records: [] };
    const index = log.records.findIndex(({ timestamp }) => timestamp >= timestampMs);
    return index < 0 ? endOf(log) : log.start + index;
  }

  /** Every record of a topic, partition by partition. */
  records(topic: string): readonly ConsumedRecord[] {
    return (this.#logs.get(topic) ?? []).flatMap((log) =>
      log.records.map((record, index) => at(record, log.start + index)),
    );
  }

  /** Forgets all that was appended so far, as retention would; offsets go on. For long runs: nobody may have to read it any more. */
  truncate(): void {
    for (const log of [...this.#logs.values()].flat()) {
      log.start = endOf(log);
      log.records = [];
    }
  }
}
