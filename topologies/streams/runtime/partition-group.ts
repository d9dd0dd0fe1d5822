import { CorruptBatchError } from '../kafka/errors.ts';
import type { ConsumedRecord, FetchedBatch, FetchedRecords, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { UnreadableInputError } from './unreadable-input.ts';

interface Buffer {
  readonly partition: TopicPartition;
  /** Records that were not taken yet. */
  waiting: number;
  /** The first of them; undefined: none waits. */
  head: ConsumedRecord | undefined;
  /** What was asked for ahead of its turn, behind the head. */
  ahead: ConsumedRecord[];
  /** Of the batch that head and ahead are from. */
  current: Iterator<ConsumedRecord> | null;
  /** Whole batches behind that one. */
  later: FetchedRecords[];
  /** The record behind those that were decoded cannot be: its input stands still in front of it. */
  broken: UnreadableInputError | null;
  /** Time of the record at the head, where it takes an extractor to know it; null: not asked for yet. */
  headTime: number | null;
  /** Record behind the last one that was buffered, and whether the log is known to end there. */
  nextOffset: number;
  caughtUp: boolean;
  /** Since when it is empty and known to be at its end; null otherwise. */
  idleSince: number | null;
}

const nextOf = (buffer: Buffer): ConsumedRecord | undefined =>
  buffer.ahead.length > 0 ? buffer.ahead.shift() : decodeNext(buffer);

/** Undefined: there is none, or it cannot be decoded. */
function decodeNext(buffer: Buffer): ConsumedRecord | undefined {
  if (buffer.broken !== null) return undefined;
  try {
    return decode(buffer);
  } catch (error) {
    if (!(error instanceof CorruptBatchError)) throw error;
    buffer.broken = new UnreadableInputError(buffer.partition, error);
    return undefined;
  }
}

function decode(buffer: Buffer): ConsumedRecord | undefined {
  for (;;) {
    const result = buffer.current?.next();
    if (result !== undefined && result.done !== true) return result.value;
    const batch = buffer.later.shift();
    buffer.current = batch?.[Symbol.iterator]() ?? null; // what is at its end would keep its bytes
    if (batch === undefined) return undefined;
  }
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
        waiting: 0,
        head: undefined,
        ahead: [],
        current: null,
        later: [],
        broken: null,
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
    if (batch.records.length > 0) {
      buffer.later.push(batch.records);
      buffer.waiting += batch.records.length;
      if (buffer.head === undefined) buffer.head = nextOf(buffer);
    }
    buffer.nextOffset = batch.nextOffset;
    buffer.caughtUp = batch.nextOffset >= batch.lastStableOffset;
    if (buffer.waiting > 0 || !buffer.caughtUp) buffer.idleSince = null;
    else buffer.idleSince ??= this.#now();
  }

  buffered(input: TopicPartition): number {
    return this.#buffers.get(partitionName(input))?.waiting ?? 0;
  }

  /** The nth record of one input that was not taken yet; null when there are fewer. */
  at(input: TopicPartition, index: number): ConsumedRecord | null {
    const buffer = this.#buffers.get(partitionName(input));
    if (buffer === undefined || index >= buffer.waiting) return null;
    if (index === 0) return buffer.head ?? null;
    while (buffer.ahead.length < index) {
      const record = decodeNext(buffer);
      if (record === undefined) return null;
      buffer.ahead.push(record);
    }
    return buffer.ahead[index - 1] ?? null;
  }

  /**
   * The record that is next in time; null when there is none, or when an input must be waited for.
   * @throws UnreadableInputError – what comes next of an input cannot be read, and may be the earliest
   */
  peek(): ConsumedRecord | null {
    let first: ConsumedRecord | null = null;
    let firstTime = 0;
    let next: Buffer | null = null;
    let passes = false;
    this.#next = null;
    for (const buffer of this.#list) {
      const { head } = buffer;
      if (head === undefined) {
        if (buffer.broken !== null) throw buffer.broken;
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
    buffer.waiting -= 1;
    buffer.head = nextOf(buffer);
    buffer.headTime = null;
    if (buffer.waiting === 0) buffer.idleSince = buffer.caughtUp ? this.#now() : null;
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
      buffer.waiting = 0;
      buffer.head = undefined;
      buffer.ahead = [];
      buffer.current = null;
      buffer.later = [];
      buffer.broken = null;
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
