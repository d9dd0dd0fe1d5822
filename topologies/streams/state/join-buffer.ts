import type { StoreBuilder } from '../plan/node.ts';
import type { AnyRecord, RecordMetadata } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import { bufferSpec } from './buffer-spec.ts';
import { part } from './bytes.ts';
import { contextBytes, contextOf, type HeldContext } from './held-context.ts';
import { bytesOfTime, readTime, type StoreHost, writeTime } from './key-value-store.ts';
import { packed, unpacked } from './packed.ts';
import type { StateStore } from './state-store.ts';

export interface HeldRecord extends HeldContext {
  readonly key: unknown;
  readonly value: unknown;
}

/** Records of a stream that wait for rows of a table: by time, then key, then arrival (`RocksDBTimeOrderedKeyValueBuffer`). */
export interface JoinBuffer extends StateStore {
  /** Newest time of the records that were added; -1 before the first. */
  readonly streamTime: number;
  add(record: AnyRecord, metadata: RecordMetadata | null): void;
  /** Removes and gives the records with `from <= timestamp <= to`; each is removed when it is reached. */
  take(from: number, to: number): Iterable<HeldRecord>;
}

export interface JoinBufferOptions {
  readonly name: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
}

export const joinBuffer = (options: JoinBufferOptions): StoreBuilder => ({
  spec: bufferSpec(options.name),
  open: (host) => new BytesJoinBuffer(options, host),
});

/** Shorter than every record's row: the stream time, which a restart must not forget, nor keep of a record that failed. */
const clockRow = Uint8Array.of(0);
/** Before the key eight bytes of time; after it four that keep records of one key and time apart. */
const timeBytes = 8;
const sequenceBytes = 4;

class BytesJoinBuffer implements JoinBuffer {
  readonly name: string;
  readonly #options: JoinBufferOptions;
  readonly #host: StoreHost;

  constructor(options: JoinBufferOptions, host: StoreHost) {
    this.name = options.name;
    this.#options = options;
    this.#host = host;
  }

  get streamTime(): number {
    const bytes = this.#host.overlay.get(clockRow);
    return bytes === null ? -1 : readTime(bytes, 0);
  }

  add(record: AnyRecord, metadata: RecordMetadata | null): void {
    const { overlay, topic, now } = this.#host;
    const { keySerde, valueSerde } = this.#options;
    const { timestamp, headers } = record;
    if (timestamp > this.streamTime) overlay.put(clockRow, bytesOfTime(timestamp), now());
    const key = keySerde.serialize(topic, record.key);
    const row = new Uint8Array(timeBytes + key.length + sequenceBytes);
    writeTime(row, 0, timestamp);
    row.set(key, timeBytes);
    const sequence = new DataView(row.buffer);
    for (let next = 0; overlay.get(row) !== null; ) sequence.setUint32(row.length - sequenceBytes, ++next);
    const context = contextBytes({ timestamp, headers, metadata });
    overlay.put(row, packed([context, valueSerde.serialize(topic, record.value)]), now());
  }

  *take(from: number, to: number): Generator<HeldRecord> {
    const { overlay, topic, now } = this.#host;
    const { keySerde, valueSerde } = this.#options;
    if (to < from) return;
    for (const [row, bytes] of overlay.range(bytesOfTime(from), bytesOfTime(to + 1))) {
      const [context, value] = unpacked(bytes);
      if (!context || !value) continue; // never written so
      overlay.put(row, null, now());
      yield {
        ...contextOf(context),
        key: keySerde.deserialize(topic, part(row, timeBytes, row.length - sequenceBytes)),
        value: valueSerde.deserialize(topic, value),
      };
    }
  }
}
