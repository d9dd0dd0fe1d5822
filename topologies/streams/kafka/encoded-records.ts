import type { ReadPart } from '../serde.ts';
import type { ByteSpan } from '../state/bytes.ts';
import { ByteReader } from './bytes.ts';
import { CorruptBatchError } from './errors.ts';
import type { ConsumedRecord, FetchedRecords, Header, TopicPartition } from './port.ts';
import { readHeaders } from './record-fields.ts';

/** The records of one batch, unpacked. */
export interface EncodedBatch {
  readonly body: Buffer;
  readonly count: number;
  readonly baseOffset: number;
  readonly firstTimestamp: number;
  /** Of all of them, where the broker stamps them itself; else null. */
  readonly appendTime: number | null;
}

interface Section extends EncodedBatch {
  /** Where in the body the first wanted record begins, and how many are wanted. */
  readonly from: number;
  readonly wanted: number;
}

const noBytes = -1;

/**
 * A record in its batch. Key and value are views that are made when somebody asks for them, once: most are read once, in their place, and never looked
 * at again.
 */
export class EncodedRecord implements ConsumedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly headers: readonly Header[];
  /** Not to be spread with the rest into a log. */
  readonly #body: Uint8Array;
  readonly #keyFrom: number;
  readonly #keyTo: number;
  readonly #valueFrom: number;
  readonly #valueTo: number;
  #key: Uint8Array | null = null;
  #value: Uint8Array | null = null;

  /** @param keyFrom where it begins in the body; below 0: there is none, and so for the value */
  constructor(
    { topic, partition }: TopicPartition,
    offset: number,
    timestamp: number,
    headers: readonly Header[],
    body: Uint8Array,
    keyFrom: number,
    keyTo: number,
    valueFrom: number,
    valueTo: number,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.timestamp = timestamp;
    this.headers = headers;
    this.#body = body;
    this.#keyFrom = keyFrom;
    this.#keyTo = keyTo;
    this.#valueFrom = valueFrom;
    this.#valueTo = valueTo;
  }

  get key(): Uint8Array | null {
    if (this.#keyFrom < 0) return null;
    this.#key ??= viewOf(this.#body, this.#keyFrom, this.#keyTo);
    return this.#key;
  }

  get value(): Uint8Array | null {
    if (this.#valueFrom < 0) return null;
    this.#value ??= viewOf(this.#body, this.#valueFrom, this.#valueTo);
    return this.#value;
  }

  /** As the bytes of its key would be read. */
  readKey<T>(read: ReadPart<T>): T | null {
    return this.#keyFrom < 0 ? null : read(this.topic, this.#body, this.#keyFrom, this.#keyTo);
  }

  readValue<T>(read: ReadPart<T>): T | null {
    return this.#valueFrom < 0 ? null : read(this.topic, this.#body, this.#valueFrom, this.#valueTo);
  }

  /** Says in `span` where the bytes of the value stand. @returns false: there is none, and `span` is as it was */
  spanValue(span: ByteSpan): boolean {
    if (this.#valueFrom < 0) return false;
    span.bytes = this.#body;
    span.from = this.#valueFrom;
    span.to = this.#valueTo;
    return true;
  }
}

const viewOf = (body: Uint8Array, from: number, to: number): Uint8Array =>
  new Uint8Array(body.buffer, body.byteOffset + from, to - from);

/**
 * Records as they were sent, each decoded when its turn comes: a record that waits in a buffer costs its bytes and nothing else, and one that is an
 * object dies young.
 */
export class EncodedRecords implements FetchedRecords {
  readonly #topic: string;
  readonly #partition: number;
  readonly #sections: Section[] = [];
  length = 0;
  bytes = 0;

  constructor(topic: string, partition: number) {
    this.#topic = topic;
    this.#partition = partition;
  }

  /**
   * Records below `position` are left out: a batch is always sent whole.
   * @throws CorruptBatchError
   */
  add(batch: EncodedBatch, position: number): void {
    let place: Pick<Section, 'from' | 'wanted'>;
    try {
      place = placeOf(batch, position);
    } catch (error) {
      throw corrupt(this.#topic, this.#partition, batch, error);
    }
    if (place.wanted === 0) return;
    this.#sections.push({ ...batch, ...place });
    this.length += place.wanted;
    this.bytes += batch.body.length - place.from;
  }

  [Symbol.iterator](): Iterator<ConsumedRecord> {
    return new RecordReader(this.#topic, this.#partition, this.#sections);
  }
}

function placeOf({ body, baseOffset, count }: EncodedBatch, position: number): Pick<Section, 'from' | 'wanted'> {
  let skipped = 0;
  let from = 0;
  for (const reader = new ByteReader(body); position > baseOffset && skipped < count; skipped += 1) {
    from = reader.position;
    const end = reader.varint() + reader.position;
    reader.position += 1; // attributes
    reader.varint(); // timestamp
    if (baseOffset + reader.varint() >= position) break;
    reader.position = end;
  }
  return { from, wanted: count - skipped };
}

function corrupt(topic: string, partition: number, { baseOffset }: EncodedBatch, cause: unknown): CorruptBatchError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const text = `The batch at ${topic}-${partition} offset ${baseOffset} passes its checksum, but not all of its records can be read: ${why}`;
  return new CorruptBatchError(text, { cause });
}

class RecordReader implements Iterator<ConsumedRecord> {
  readonly #place: TopicPartition;
  readonly #sections: readonly Section[];
  #next = 0;
  #left = 0;
  #body = new ByteReader(Buffer.alloc(0));
  #section: Section | undefined;

  constructor(topic: string, partition: number, sections: readonly Section[]) {
    this.#place = { topic, partition };
    this.#sections = sections;
  }

  /** @throws CorruptBatchError – a field that does not fit, in a batch whose checksum is right */
  next(): IteratorResult<ConsumedRecord> {
    if (this.#left === 0 && !this.#open()) return { done: true, value: undefined };
    this.#left -= 1;
    const section = this.#section as Section; // just opened
    try {
      return { done: false, value: this.#decode(section) };
    } catch (error) {
      throw corrupt(this.#place.topic, this.#place.partition, section, error);
    }
  }

  #decode(section: Section): ConsumedRecord {
    const body = this.#body;
    const end = body.varint() + body.position;
    body.position += 1; // attributes, unused
    const timestampDelta = body.varint();
    const offset = section.baseOffset + body.varint();
    const keyLength = body.varint();
    const keyFrom = keyLength < 0 ? noBytes : body.skip(keyLength);
    const keyTo = body.position;
    const valueLength = body.varint();
    const valueFrom = valueLength < 0 ? noBytes : body.skip(valueLength);
    const valueTo = body.position;
    const timestamp = section.appendTime ?? section.firstTimestamp + timestampDelta;
    const headers = readHeaders(body);
    body.position = end;
    return new EncodedRecord(this.#place, offset, timestamp, headers, section.body, keyFrom, keyTo, valueFrom, valueTo);
  }

  #open(): boolean {
    const section = this.#sections[this.#next];
    if (section === undefined) return false;
    this.#next += 1;
    this.#section = section;
    this.#left = section.wanted;
    this.#body = new ByteReader(section.body, section.from);
    return true;
  }
}
