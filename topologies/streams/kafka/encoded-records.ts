import { ByteReader } from './bytes.ts';
import { CorruptBatchError } from './errors.ts';
import type { ConsumedRecord, FetchedRecords } from './port.ts';
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
  readonly #topic: string;
  readonly #partition: number;
  readonly #sections: readonly Section[];
  #next = 0;
  #left = 0;
  #body = new ByteReader(Buffer.alloc(0));
  #section: Section | undefined;

  constructor(topic: string, partition: number, sections: readonly Section[]) {
    this.#topic = topic;
    this.#partition = partition;
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
      throw corrupt(this.#topic, this.#partition, section, error);
    }
  }

  #decode(section: Section): ConsumedRecord {
    const body = this.#body;
    const end = body.varint() + body.position;
    body.position += 1; // attributes, unused
    const timestampDelta = body.varint();
    const offset = section.baseOffset + body.varint();
    const keyLength = body.varint();
    const key = keyLength < 0 ? null : body.view(keyLength);
    const valueLength = body.varint();
    const value = valueLength < 0 ? null : body.view(valueLength);
    const timestamp = section.appendTime ?? section.firstTimestamp + timestampDelta;
    const headers = readHeaders(body);
    body.position = end;
    return { topic: this.#topic, partition: this.#partition, offset, timestamp, key, value, headers };
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
