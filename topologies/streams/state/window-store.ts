import type { StoreBuilder } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { successor } from './bytes.ts';
import { readTime, type StoreHost, writeTime } from './key-value-store.ts';
import type { StateStore, ValueAndTimestamp } from './state-store.ts';

export interface WindowStore<K, V> extends StateStore {
  /** A null value deletes (where duplicates are not kept). Rows older than the retention, seen from `streamTime`, are forgotten. */
  put(key: K, value: V | null, timestamp: number, streamTime: number): void;
  /** Rows of a key with `from <= timestamp <= to`, in the order of their times, then of their arrival. */
  fetch(key: K, from: number, to: number): Iterable<ValueAndTimestamp<V>>;
}

export interface WindowStoreOptions<K, V> {
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly retentionMs: number;
  /** Several rows of one key and time stay side by side. */
  readonly retainDuplicates: boolean;
  readonly persistent?: boolean;
}

export function windowStore<K, V>(options: WindowStoreOptions<K, V>): StoreBuilder {
  return {
    spec: {
      name: options.name,
      kind: 'window',
      persistent: options.persistent ?? true,
      logged: true,
      retentionMs: options.retentionMs,
      changelogConfig: {},
    },
    open: (host) => new BytesWindowStore(options, host),
  };
}

/** After the key: eight bytes of time, then four that keep duplicates apart in the order of their arrival. */
const suffixBytes = 12;

/** Rows of one key lie side by side in the order of their times: `key | time | sequence`. */
class BytesWindowStore<K, V> implements WindowStore<K, V> {
  readonly name: string;
  readonly #options: WindowStoreOptions<K, V>;
  readonly #host: StoreHost;
  #sequence = 0;
  #expiredUpTo = 0;

  constructor(options: WindowStoreOptions<K, V>, host: StoreHost) {
    this.name = options.name;
    this.#options = options;
    this.#host = host;
  }

  put(key: K, value: V | null, timestamp: number, streamTime: number): void {
    this.#expire(streamTime);
    if (this.#options.retainDuplicates) this.#sequence = (this.#sequence + 1) >>> 0;
    const bytes = value === null ? null : this.#options.valueSerde.serialize(this.#host.topic, value);
    this.#host.overlay.put(this.#rowKey(this.#keyBytes(key), timestamp, this.#sequence), bytes, this.#host.now());
  }

  *fetch(key: K, from: number, to: number): Generator<ValueAndTimestamp<V>> {
    const bytes = this.#keyBytes(key);
    const low = this.#rowKey(bytes, from, 0);
    const high = successor(this.#rowKey(bytes, to, 0xffff_ffff));
    for (const [rowKey, value] of this.#host.overlay.range(low, high)) {
      if (rowKey.length !== bytes.length + suffixBytes) continue; // a longer key that begins with this one
      const timestamp = readTime(rowKey, bytes.length);
      if (timestamp < from || timestamp > to) continue;
      yield { value: this.#options.valueSerde.deserialize(this.#host.topic, value), timestamp };
    }
  }

  #keyBytes(key: K): Uint8Array {
    return this.#options.keySerde.serialize(this.#host.topic, key);
  }

  #rowKey(key: Uint8Array, timestamp: number, sequence: number): Uint8Array {
    const out = new Uint8Array(key.length + suffixBytes);
    out.set(key);
    writeTime(out, key.length, timestamp);
    new DataView(out.buffer).setUint32(key.length + 8, sequence);
    return out;
  }

  /** Looks at every row once per half retention of stream time: what dies within a window is few. */
  #expire(streamTime: number): void {
    const { retentionMs } = this.#options;
    const horizon = streamTime - retentionMs;
    if (horizon <= 0 || horizon - this.#expiredUpTo < Math.max(retentionMs / 2, 1)) return;
    this.#expiredUpTo = horizon;
    const gone: Uint8Array[] = [];
    for (const [rowKey] of this.#host.overlay.range(null, null)) {
      if (readTime(rowKey, rowKey.length - suffixBytes) < horizon) gone.push(rowKey);
    }
    for (const rowKey of gone) this.#host.overlay.put(rowKey, null, this.#host.now());
  }
}
