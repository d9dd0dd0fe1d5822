import type { ConsumedRecord, FetchedBatch, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

interface Buffer {
  readonly partition: TopicPartition;
  records: ConsumedRecord[];
  head: number;
  /** Time of the record at the head, where it takes an extractor to know it; null: not asked for yet. */
  headTime: number | null;
  /** Record behind the last one that was buffered, and whether the log is known to end there. */
  nextOffset: number;
  caughtUp: boolean;
  /** Since when it is empty and known to be at its end; null otherwise. */
  idleSince: number | null;
}

/**
 * The buffered inputs of a task. The record with the smallest timestamp goes first (Kafka Streams' `PartitionGroup`); while an input is
 * empty and its log is not known to be at its end, nobody goes, because an earlier record may be on its way (KIP-695).
 */
export class PartitionGroup {
  readonly #buffers = new Map<string, Buffer>();
  readonly #list: Buffer[] = [];
  readonly #maxIdleMs: number;
  readonly #now: () => number;
  readonly #timeOf: ((record: ConsumedRecord) => number) | null;
  /** Holds the record that the last `peek` gave. */
  #next: Buffer | null = null;
  /** It passed an empty input that was at its end. */
  #nextIsEnforced = false;
  #enforced = 0;

  /** @param timeOf where sources have timestamp extractors; by default records have the time that the broker gives */
  constructor(
    inputs: readonly TopicPartition[],
    maxIdleMs: number,
    now: () => number,
    timeOf: ((record: ConsumedRecord) => number) | null = null,
  ) {
    this.#maxIdleMs = maxIdleMs;
    this.#now = now;
    this.#timeOf = timeOf;
    for (const partition of inputs) {
      const buffer = {
        partition,
        records: [],
        head: 0,
        headTime: null,
        nextOffset: 0,
        caughtUp: false,
        idleSince: null,
      };
      this.#buffers.set(partitionName(partition), buffer);
      this.#list.push(buffer);
    }
  }

  add(batch: FetchedBatch): void {
    const buffer = this.#buffers.get(partitionName(batch));
    if (buffer === undefined) return;
    if (buffer.head === buffer.records.length) {
      buffer.records = [];
      buffer.head = 0;
    }
    for (const record of batch.records) buffer.records.push(record);
    buffer.nextOffset = batch.nextOffset;
    buffer.caughtUp = batch.nextOffset >= batch.lastStableOffset;
    if (buffer.head < buffer.records.length || !buffer.caughtUp) buffer.idleSince = null;
    else buffer.idleSince ??= this.#now();
  }

  buffered(input: TopicPartition): number {
    const buffer = this.#buffers.get(partitionName(input));
    return buffer === undefined ? 0 : buffer.records.length - buffer.head;
  }

  /** The nth record of one input that was not taken yet; null when there are fewer. */
  at(input: TopicPartition, index: number): ConsumedRecord | null {
    const buffer = this.#buffers.get(partitionName(input));
    return buffer?.records[buffer.head + index] ?? null;
  }

  /** The record that is next in time; null when there is none, or when an input must be waited for. */
  peek(): ConsumedRecord | null {
    let first: ConsumedRecord | null = null;
    let firstTime = 0;
    let next: Buffer | null = null;
    let passes = false;
    this.#next = null;
    for (const buffer of this.#list) {
      const head = buffer.records[buffer.head];
      if (head === undefined) {
        if (!this.#mayBePassed(buffer)) return null;
        passes = true;
        continue;
      }
      const time = this.#timeOfHead(buffer, head);
      if (first === null || time < firstTime) {
        first = head;
        firstTime = time;
        next = buffer;
      }
    }
    this.#next = next;
    this.#nextIsEnforced = passes && this.#maxIdleMs >= 0;
    return first;
  }

  /** Removes the record that the last `peek` gave. */
  take(): void {
    const buffer = this.#next;
    if (buffer === null) return;
    this.#next = null;
    if (this.#nextIsEnforced) this.#enforced += 1;
    buffer.head += 1;
    buffer.headTime = null;
    if (buffer.head === buffer.records.length) buffer.idleSince = buffer.caughtUp ? this.#now() : null;
    else if (buffer.head > 4_096) {
      buffer.records = buffer.records.slice(buffer.head);
      buffer.head = 0;
    }
  }

  /** Records taken while another input was empty and had been idle for long enough: an earlier one may yet come (Kafka Streams' enforced processing). */
  get enforced(): number {
    return this.#enforced;
  }

  /** When an input will have been idle for long enough, in `now`'s time; Infinity if none is waited for. */
  get idleEndsMs(): number {
    if (this.#maxIdleMs <= 0 || this.#list.length === 1) return Number.POSITIVE_INFINITY;
    const now = this.#now();
    const ends = this.#list.map(({ idleSince }) => (idleSince ?? Number.POSITIVE_INFINITY) + this.#maxIdleMs);
    return Math.min(...ends.filter((end) => end > now), Number.POSITIVE_INFINITY);
  }

  clear(): void {
    this.#next = null;
    for (const buffer of this.#list) {
      buffer.records = [];
      buffer.head = 0;
      buffer.headTime = null;
      buffer.caughtUp = false;
      buffer.idleSince = null;
    }
  }

  #timeOfHead(buffer: Buffer, head: ConsumedRecord): number {
    if (this.#timeOf === null) return head.timestamp;
    buffer.headTime ??= this.#timeOf(head);
    return buffer.headTime;
  }

  #mayBePassed(buffer: Buffer): boolean {
    if (this.#list.length === 1 || this.#maxIdleMs < 0) return true;
    if (!buffer.caughtUp) return false;
    return this.#maxIdleMs === 0 || (buffer.idleSince !== null && this.#now() - buffer.idleSince >= this.#maxIdleMs);
  }
}
