import type { StoreBuilder } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { bytesOfLength, writeUint32 } from './bytes.ts';
import { readTime, type StoreHost, writeTime } from './key-value-store.ts';
import type { RereadSpec, Row, StateStore, ValueAndTimestamp } from './state-store.ts';

export interface JoinWindowStore<K, V> extends StateStore {
  /** Newest time of the rows that were put; -1 before the first. What a failed record has put does not count. */
  readonly newest: number;
  /** Forgets what is older than the newest record it was given, minus its retention; a record that is that old itself is not kept. */
  put(key: K, value: V, timestamp: number): void;
  /** Rows of a key with `from <= timestamp <= to`, in the order of their times, then of their arrival. */
  fetch(key: K, from: number, to: number): Iterable<ValueAndTimestamp<V>>;
  /** Every row of this key and time. */
  remove(key: K, timestamp: number): void;
}

export interface JoinWindowStoreOptions<K, V> {
  readonly name: string;
  /** Name of the join, which the store of the other side has too. */
  readonly join: string;
  readonly isLeft: boolean;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly retentionMs: number;
  /** Values come straight from a topic, as they were read there. */
  readonly isFromSource?: boolean;
  /** Instead of a changelog; only in memory. */
  readonly rereads?: RereadSpec;
}

/** Join windows on disk, for those that hold more than fits in memory. */
export function persistentJoinWindowStore<K, V>(options: JoinWindowStoreOptions<K, V>): StoreBuilder {
  return {
    spec: {
      name: options.name,
      kind: 'window',
      persistent: true,
      logged: true,
      retentionMs: options.retentionMs,
      keySuffixBytes: suffixBytes,
      changelogConfig: {},
    },
    open: (host) => new BytesJoinWindowStore(options, host),
  };
}

/** After the key: eight bytes of time, then four that keep rows of one key and time apart, in the order of their arrival. */
export const suffixBytes = 12;

/** Rows of one key lie side by side in the order of their times: `key | time | sequence`. */
class BytesJoinWindowStore<K, V> implements JoinWindowStore<K, V> {
  readonly name: string;
  readonly #options: JoinWindowStoreOptions<K, V>;
  readonly #host: StoreHost;
  /** Newest time of all rows ever put; null until it is asked for after a start. */
  #newest: number | null = null;
  #sweptUpTo = 0;

  constructor(options: JoinWindowStoreOptions<K, V>, host: StoreHost) {
    this.name = options.name;
    this.#options = options;
    this.#host = host;
  }

  get newest(): number {
    return this.#newestRow();
  }

  put(key: K, value: V, timestamp: number): void {
    const { overlay, topic, now } = this.#host;
    const before = this.#newestRow();
    const newest = Math.max(before, timestamp);
    const sweptUpTo = this.#sweptUpTo;
    this.#newest = newest;
    if (newest > before) {
      overlay.onRollBack(() => {
        this.#newest = before;
        this.#sweptUpTo = sweptUpTo;
      });
    }
    const horizon = newest - this.#options.retentionMs;
    if (timestamp < horizon) return;
    this.#sweep(horizon);
    const row = this.#rowKey(this.#keyBytes(key), timestamp, 0);
    const bytes = this.#options.valueSerde.serialize(topic, value);
    for (let next = 0; !overlay.putIfAbsent(row, bytes, now()); ) writeUint32(row, row.length - 4, ++next);
  }

  fetch(key: K, from: number, to: number): Iterable<ValueAndTimestamp<V>> {
    const bytes = this.#keyBytes(key);
    const first = Math.max(from, this.#newestRow() - this.#options.retentionMs, 0);
    if (first > to) return [];
    const { valueSerde } = this.#options;
    return this.#rows(bytes, first, to).map(([row, value]) => ({
      value: valueSerde.deserialize(this.#host.topic, value),
      timestamp: timeOf(row),
    }));
  }

  remove(key: K, timestamp: number): void {
    const { overlay, now } = this.#host;
    for (const [row] of this.#rows(this.#keyBytes(key), timestamp, timestamp)) overlay.put(row, null, now());
  }

  #rows(key: Uint8Array, from: number, to: number): readonly Row[] {
    return this.#host.overlay.ofGroup(this.#rowKey(key, from, 0), this.#rowKey(key, to, 0xffff_ffff));
  }

  #keyBytes(key: K): Uint8Array {
    return this.#options.keySerde.serialize(this.#host.topic, key);
  }

  #rowKey(key: Uint8Array, timestamp: number, sequence: number): Uint8Array {
    const out = bytesOfLength(key.length + suffixBytes);
    out.set(key);
    writeTime(out, key.length, timestamp);
    writeUint32(out, key.length + 8, sequence);
    return out;
  }

  /** After a start the rows themselves say how far time had come. */
  #newestRow(): number {
    if (this.#newest === null) {
      let newest = -1;
      for (const row of this.#host.overlay.keys()) newest = Math.max(newest, timeOf(row));
      this.#newest = newest;
    }
    return this.#newest;
  }

  /** Looks at every row once per half retention: what dies within a window is few. */
  #sweep(horizon: number): void {
    if (horizon <= 0 || horizon - this.#sweptUpTo < Math.max(this.#options.retentionMs / 2, 1)) return;
    this.#sweptUpTo = horizon;
    const { overlay, now } = this.#host;
    const old: Uint8Array[] = [];
    for (const row of overlay.keys()) if (timeOf(row) < horizon) old.push(row);
    for (const row of old) overlay.deleteIfPresent(row, now());
  }
}

const timeOf = (row: Uint8Array): number => readTime(row, row.length - suffixBytes);
