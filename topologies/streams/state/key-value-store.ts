import { LastRead } from '../runtime/last-read.ts';
import type { Serde } from '../serde.ts';
import { bytesOfLength, part, prefixEnd, readUint32, successor, writeUint32 } from './bytes.ts';
import { Overlay } from './overlay.ts';
import type { KeyValueStore, Row, StoreSpec, TaskStorage, ValueAndTimestamp } from './state-store.ts';
import { UndoLog } from './undo-log.ts';

/** What a typed store needs of the task that it belongs to. */
export interface StoreHost {
  readonly overlay: Overlay;
  /** Given to the serdes: the changelog's name, or what it would be. */
  readonly topic: string;
  /** Time of the record under way: what the changelog entry is stamped with. */
  readonly now: () => number;
  readonly lastRead: LastRead;
}

/** For looking only, at committed rows: what is written through it would never reach the storage. */
export const readOnlyHost = (storage: TaskStorage, spec: StoreSpec, topic: string): StoreHost => ({
  overlay: new Overlay(storage.store(spec), new UndoLog(), spec.keySuffixBytes),
  topic,
  now: () => 0,
  lastRead: new LastRead(),
});

const utf8 = new TextEncoder();

/** Typed rows over the task's overlay. */
export class TypedKeyValueStore<K, V> implements KeyValueStore<K, V> {
  readonly name: string;
  readonly #host: StoreHost;
  readonly #overlay: Overlay;
  readonly #keySerde: Serde<K>;
  readonly #valueSerde: Serde<V>;

  constructor(name: string, host: StoreHost, keySerde: Serde<K>, valueSerde: Serde<V>) {
    this.name = name;
    this.#host = host;
    this.#overlay = host.overlay;
    this.#keySerde = keySerde;
    this.#valueSerde = valueSerde;
  }

  get(key: K): V | null {
    return this.#value(this.bytesOf(key));
  }

  /** The row as it lies there, for those who compare versions: reading and writing it again may give other bytes. */
  bytesOf(key: K): Uint8Array | null {
    const bytes = this.#bytes(key);
    return this.#overlay.get(bytes, this.#nameOf(key, bytes));
  }

  put(key: K, value: V | null): void {
    const bytes = this.#bytes(key);
    const valueBytes = value === null ? null : this.#valueSerde.serialize(this.#host.topic, value);
    this.#overlay.put(bytes, valueBytes, this.#host.now(), this.#nameOf(key, bytes));
  }

  putIfAbsent(key: K, value: V): V | null {
    const there = this.get(key);
    if (there === null) this.put(key, value);
    return there;
  }

  delete(key: K): V | null {
    const there = this.get(key);
    if (there !== null) this.put(key, null);
    return there;
  }

  range(from: K | null, to: K | null): Iterable<readonly [K, V]> {
    return this.#typed(this.#range(from, to, false));
  }

  reverseRange(from: K | null, to: K | null): Iterable<readonly [K, V]> {
    return this.#typed(this.#range(from, to, true));
  }

  prefixScan(prefix: Uint8Array | string): Iterable<readonly [K, V]> {
    const bytes = typeof prefix === 'string' ? utf8.encode(prefix) : prefix;
    return this.#typed(this.#overlay.range(bytes, prefixEnd(bytes)));
  }

  all(): Iterable<readonly [K, V]> {
    return this.#typed(this.#overlay.range(null, null));
  }

  reverseAll(): Iterable<readonly [K, V]> {
    return this.#typed(this.#overlay.range(null, null, true));
  }

  approximateNumEntries(): number {
    return this.#overlay.count();
  }

  #bytes(key: K): Uint8Array {
    if (key === null || key === undefined) {
      throw new TypeError(`store ${this.name}: the key is null; a store has no row for it`);
    }
    return this.#host.lastRead.keyBytes(this.#keySerde, this.#host.topic, key);
  }

  /** As a byte string. */
  #nameOf(key: K, bytes: Uint8Array): string {
    return this.#host.lastRead.keyName(this.#keySerde, this.#host.topic, key, bytes);
  }

  #value(bytes: Uint8Array | null): V | null {
    return bytes === null ? null : this.#valueSerde.deserialize(this.#host.topic, bytes);
  }

  #range(from: K | null, to: K | null, reverse: boolean): Iterable<Row> {
    const low = from === null ? null : this.#bytes(from);
    const high = to === null ? null : successor(this.#bytes(to));
    return this.#overlay.range(low, high, reverse);
  }

  *#typed(rows: Iterable<Row>): Generator<readonly [K, V]> {
    const topic = this.#host.topic;
    for (const [key, value] of rows) {
      yield [this.#keySerde.deserialize(topic, key), this.#valueSerde.deserialize(topic, value)];
    }
  }
}

export function timestamped(value: Uint8Array, timestamp: number): Uint8Array {
  const out = bytesOfLength(8 + value.length);
  writeTime(out, 0, timestamp);
  out.set(value, 8);
  return out;
}

/** Eight bytes of record time, then the value; in the changelog the time is the record's own. */
export const timestampedSerde = <V>(valueSerde: Serde<V>): Serde<ValueAndTimestamp<V>> => ({
  serialize: (topic, { value, timestamp }) => timestamped(valueSerde.serialize(topic, value), timestamp),
  deserialize: (topic, bytes) => ({
    value: valueSerde.deserialize(topic, part(bytes, 8)),
    timestamp: readTime(bytes, 0),
  }),
});

/** Reads the value of what `timestampedSerde` wrote, and nothing else of it. */
export const untimedSerde = <V>(valueSerde: Serde<V>): Serde<V> => ({
  serialize: () => {
    throw new TypeError('a read-only view of a timestamped store was written to');
  },
  deserialize: (topic, bytes) => valueSerde.deserialize(topic, part(bytes, 8)),
});

/** Epoch ms as eight bytes whose order is that of time; not for negative times. */
export function writeTime(out: Uint8Array, at: number, time: number): void {
  writeUint32(out, at, Math.floor(time / 0x1_0000_0000));
  writeUint32(out, at + 4, time);
}

export function bytesOfTime(time: number): Uint8Array {
  const out = new Uint8Array(8);
  writeTime(out, 0, time);
  return out;
}

export const readTime = (bytes: Uint8Array, at: number): number =>
  readUint32(bytes, at) * 0x1_0000_0000 + readUint32(bytes, at + 4);
