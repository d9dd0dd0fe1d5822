import { ByteReader } from './bytes.ts';
import type { Header, ProducedRecord, RecordsToSend } from './port.ts';
import { fieldsSize, putFields, readHeaders } from './record-fields.ts';

/** Takes what a task sends, in its order, until it is committed. */
export interface RecordCollector extends RecordsToSend {
  append(
    topic: string,
    partition: number,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly Header[],
  ): void;
  /** Forgets what came after the first `length`. */
  takeBack(length: number): void;
  clear(): void;
}

/** A slab that a rare large transaction has grown past this is given back. */
const keepAtMostBytes = 1 << 20;

/** Records of one partition: what each has in the wire format behind its deltas, end to end in one slab. */
export class PartitionRecords {
  readonly topic: string;
  readonly partition: number;
  count = 0;
  /** Of each record, epoch ms. */
  timestamps = new Float64Array(16);
  /** Where each record ends in the slab. */
  ends = new Uint32Array(16);
  slab = Buffer.allocUnsafeSlow(1 << 10);

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get bytes(): number {
    return this.startOf(this.count);
  }

  startOf(index: number): number {
    return index === 0 ? 0 : (this.ends[index - 1] ?? 0);
  }

  append(timestamp: number, key: Uint8Array | null, value: Uint8Array | null, headers: readonly Header[]): void {
    const index = this.count;
    const from = this.startOf(index);
    const end = from + fieldsSize(key, value, headers);
    if (end > this.slab.length) this.#growSlab(end);
    putFields(this.slab, from, key, value, headers);
    if (index === this.ends.length) this.#growIndex();
    this.timestamps[index] = timestamp;
    this.ends[index] = end;
    this.count = index + 1;
  }

  #growSlab(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.slab.length * 2));
    this.slab.copy(grown);
    this.slab = grown;
  }

  #growIndex(): void {
    const { timestamps, ends } = this;
    const length = ends.length * 2;
    this.timestamps = new Float64Array(length);
    this.timestamps.set(timestamps);
    this.ends = new Uint32Array(length);
    this.ends.set(ends);
  }

  /** A record of its own: its bytes are copies. */
  record(index: number): ProducedRecord {
    const reader = new ByteReader(this.slab, this.startOf(index));
    const field = (): Uint8Array | null => {
      const length = reader.varint();
      return length < 0 ? null : Uint8Array.prototype.slice.call(reader.view(length));
    };
    const { topic, partition } = this;
    const [key, value] = [field(), field()];
    const headers = readHeaders(reader).map(([name, bytes]): Header => [name, new Uint8Array(bytes)]);
    return { topic, partition, timestamp: this.timestamps[index] ?? 0, key, value, headers };
  }

  clear(): void {
    this.count = 0;
    if (this.slab.length > keepAtMostBytes) this.slab = Buffer.allocUnsafeSlow(1 << 10);
  }
}

/**
 * Records on their way to a broker, packed as they come: until they are sent they cost their bytes and no objects. Cleared it begins anew in the
 * same memory.
 */
export class RecordPack implements RecordCollector {
  readonly #lists: PartitionRecords[] = [];
  /** By topic, then by partition: place in `#lists`. */
  readonly #places = new Map<string, number[]>();
  #topic: string | null = null;
  #ofTopic: number[] = [];
  /** Of each record, in the order in which they came: place of its list. */
  #order = new Uint32Array(16);
  length = 0;

  /** @param records a pack is given back as it is */
  static of(records: RecordsToSend): RecordPack {
    if (records instanceof RecordPack) return records;
    const pack = new RecordPack();
    for (const { topic, partition, timestamp, key, value, headers } of records)
      pack.append(topic, partition, timestamp, key, value, headers);
    return pack;
  }

  /** Partition by partition, in order in each. */
  get lists(): readonly PartitionRecords[] {
    return this.#lists;
  }

  append(
    topic: string,
    partition: number,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly Header[],
  ): void {
    const place = this.#placeOf(topic, partition);
    (this.#lists[place] as PartitionRecords).append(timestamp, key, value, headers); // it was made with its place
    if (this.length === this.#order.length) {
      const grown = new Uint32Array(this.length * 2);
      grown.set(this.#order);
      this.#order = grown;
    }
    this.#order[this.length] = place;
    this.length += 1;
  }

  #placeOf(topic: string, partition: number): number {
    if (topic !== this.#topic) {
      this.#topic = topic;
      this.#ofTopic = this.#places.get(topic) ?? [];
      this.#places.set(topic, this.#ofTopic);
    }
    const known = this.#ofTopic[partition];
    if (known !== undefined) return known;
    const place = this.#lists.push(new PartitionRecords(topic, partition)) - 1;
    this.#ofTopic[partition] = place;
    return place;
  }

  takeBack(length: number): void {
    while (this.length > length) {
      this.length -= 1;
      const list = this.#lists[this.#order[this.length] ?? 0];
      if (list !== undefined) list.count -= 1;
    }
  }

  clear(): void {
    for (const list of this.#lists) list.clear();
    this.length = 0;
  }

  *[Symbol.iterator](): Generator<ProducedRecord> {
    const taken = new Uint32Array(this.#lists.length);
    for (let at = 0; at < this.length; at += 1) {
      const place = this.#order[at] ?? 0;
      const list = this.#lists[place] as PartitionRecords; // likewise
      const index = taken[place] ?? 0;
      taken[place] = index + 1;
      yield list.record(index);
    }
  }
}

/** What several have packed, one after the other. */
export class RecordPacks implements RecordsToSend {
  readonly packs: readonly RecordPack[];

  constructor(packs: readonly RecordPack[]) {
    this.packs = packs;
  }

  get length(): number {
    return this.packs.reduce((sum, { length }) => sum + length, 0);
  }

  *[Symbol.iterator](): Generator<ProducedRecord> {
    for (const pack of this.packs) yield* pack;
  }
}

/** Whatever comes, packed. */
export const packsOf = (records: RecordsToSend): readonly RecordPack[] =>
  records instanceof RecordPacks ? records.packs : [RecordPack.of(records)];
