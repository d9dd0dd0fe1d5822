import { ByteReader } from './bytes.ts';
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

  /** Records below `position` are left out: a batch is always sent whole. */
  add(batch: EncodedBatch, position: number): void {
    const { body, baseOffset, count } = batch;
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
    const wanted = count - skipped;
    if (wanted === 0) return;
    this.#sections.push({ ...batch, from, wanted });
    this.length += wanted;
    this.bytes += body.length - from;
  }

  [Symbol.iterator](): Iterator<ConsumedRecord> {
    return new RecordReader(this.#topic, this.#partition, this.#sections);
  }
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
    return {
      done: false,
      value: { topic: this.#topic, partition: this.#partition, offset, timestamp, key, value, headers },
    };
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
