import type { Serde } from '../serde.ts';
import { part, successor } from './bytes.ts';
import { bytesOfTime, readTime, type StoreHost, writeTime } from './key-value-store.ts';
import { prefixFree, prefixFreeKey } from './prefix-free-key.ts';
import type { Row, StateStore, ValueAndTimestamp } from './state-store.ts';

/** What became of a write: the newest version of its key, one in its history, or nothing, because it is older than the history reaches. */
export type VersionedPut = 'latest' | 'out-of-order' | 'expired';

/** Every version of a key, each valid from its own time to that of the next one; a null value ends the validity of the one before. */
export interface VersionedKeyValueStore<K, V> extends StateStore {
  /** Puts a version in its place in history. A second one of the same key and time replaces the first. */
  put(key: K, value: V | null, timestamp: number): VersionedPut;
  /** A null value at `timestamp`. @returns the version that was valid then */
  delete(key: K, timestamp: number): ValueAndTimestamp<V> | null;
  /**
   * @param asOfTimestamp epoch ms; the version that was valid then. Left out: the latest one. What lies further back than the history
   * reaches is null, unless the latest version is that old.
   */
  get(key: K, asOfTimestamp?: number): ValueAndTimestamp<V> | null;
  /** The latest version of each key that has one, by the bytes of the keys. */
  all(): Iterable<readonly [K, ValueAndTimestamp<V>]>;
}

export interface VersionedStoreOptions<K, V> {
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly historyRetentionMs: number;
}

/** One row for each version, those of a key side by side: `key | time`. The value begins with one byte that says whether there is one. */
const timeBytes = 8;
/** Shorter than every other row key: the newest time of all writes, against which retention is measured. A restart must not forget it. */
const newestRow = Uint8Array.of(0xff);
const tombstone = Uint8Array.of(0);

const sweepEvery = 64;
const sweptRows = 256;

/** `RocksDBVersionedStore`: what it answers, in another layout. */
export class BytesVersionedStore<K, V> implements VersionedKeyValueStore<K, V> {
  readonly name: string;
  readonly #options: VersionedStoreOptions<K, V>;
  readonly #host: StoreHost;
  #puts = 0;
  /** The last row of the last sweep; null when the next one begins with the first row of all. */
  #sweptTo: Uint8Array | null = null;

  constructor(options: VersionedStoreOptions<K, V>, host: StoreHost) {
    this.name = options.name;
    this.#options = options;
    this.#host = host;
  }

  put(key: K, value: V | null, timestamp: number): VersionedPut {
    if (!(timestamp >= 0)) throw new RangeError(`store ${this.name}: a version of ${timestamp} ms cannot be kept`);
    const { overlay, topic, now } = this.#host;
    const newest = this.#newest();
    if (timestamp < newest - this.#options.historyRetentionMs) return 'expired';
    if (timestamp > newest) overlay.put(newestRow, bytesOfTime(timestamp), now());
    const prefix = this.#prefix(key);
    const row = rowOf(prefix, timestamp);
    overlay.put(row, value === null ? tombstone : present(this.#options.valueSerde.serialize(topic, value)), now());
    const horizon = Math.max(newest, timestamp) - this.#options.historyRetentionMs;
    this.#puts += 1;
    if (this.#puts % sweepEvery === 0) this.#sweep(horizon);
    return overlay.first(successor(row), behind(prefix)) === null ? 'latest' : 'out-of-order';
  }

  delete(key: K, timestamp: number): ValueAndTimestamp<V> | null {
    const there = this.get(key, timestamp);
    this.put(key, null, timestamp);
    return there;
  }

  get(key: K, asOfTimestamp = Number.MAX_SAFE_INTEGER): ValueAndTimestamp<V> | null {
    if (asOfTimestamp < 0) return null;
    const { overlay } = this.#host;
    const prefix = this.#prefix(key);
    if (asOfTimestamp >= this.#newest() - this.#options.historyRetentionMs) {
      return this.#version(overlay.first(prefix, successor(rowOf(prefix, asOfTimestamp)), true));
    }
    const latest = this.#version(overlay.first(prefix, behind(prefix), true));
    return latest !== null && latest.timestamp <= asOfTimestamp ? latest : null;
  }

  /** The latest version's value as it is stored; null where there is none. */
  valueBytesOf(key: K): Uint8Array | null {
    const prefix = this.#prefix(key);
    const row = this.#host.overlay.first(prefix, behind(prefix), true);
    return row === null || isTombstone(row) ? null : part(row[1], 1);
  }

  *all(): Generator<readonly [K, ValueAndTimestamp<V>]> {
    let last: Row | null = null;
    for (const row of this.#host.overlay.range(null, null)) {
      if (last !== null && !sameKey(last, row)) yield* this.#entry(last);
      last = row;
    }
    if (last !== null) yield* this.#entry(last);
  }

  *#entry(row: Row): Generator<readonly [K, ValueAndTimestamp<V>]> {
    if (row[0].length <= timeBytes) return; // the newest time
    const version = this.#version(row);
    if (version === null) return;
    const key = prefixFreeKey(part(row[0], 0, row[0].length - timeBytes));
    yield [this.#options.keySerde.deserialize(this.#host.topic, key), version];
  }

  #version(row: Row | null): ValueAndTimestamp<V> | null {
    if (row === null || isTombstone(row)) return null;
    const value = this.#options.valueSerde.deserialize(this.#host.topic, part(row[1], 1));
    return { value, timestamp: timeOf(row) };
  }

  #prefix(key: K): Uint8Array {
    if (key === null || key === undefined) {
      throw new TypeError(`store ${this.name}: the key is null; a store has no version for it`);
    }
    return prefixFree(this.#options.keySerde.serialize(this.#host.topic, key));
  }

  /** -1 before the first write. A row and not a field, so that it is restored, and taken back with a record that failed. */
  #newest(): number {
    const bytes = this.#host.overlay.get(newestRow);
    return bytes === null ? -1 : readTime(bytes, 0);
  }

  /**
   * A few rows on with every few writes, round and round: what nobody can see any more is removed. That is what was replaced at or before
   * the horizon; and a tombstone from then, when nothing of its key is left that it ends.
   */
  #sweep(horizon: number): void {
    const { overlay, now } = this.#host;
    let last: Row | null = null;
    let looked = 0;
    /** Nothing stands before `last` of its key. */
    let isFirst = this.#sweptTo === null;
    const forgetLast = (replaced: boolean): boolean => {
      if (last === null || last[0].length <= timeBytes) return false; // the newest time
      if (!replaced && !(isFirst && isTombstone(last) && timeOf(last) <= horizon)) return false;
      overlay.put(last[0], null, now());
      return true;
    };
    for (const row of overlay.range(this.#sweptTo, null)) {
      if (looked++ === sweptRows) {
        this.#sweptTo = last === null ? null : last[0];
        return;
      }
      const same = last !== null && sameKey(last, row);
      const gone = forgetLast(same && timeOf(row) <= horizon);
      isFirst = last === null ? isFirst : !same || (isFirst && gone);
      last = row;
    }
    forgetLast(false);
    this.#sweptTo = null;
  }
}

function rowOf(prefix: Uint8Array, timestamp: number): Uint8Array {
  const out = new Uint8Array(prefix.length + timeBytes);
  out.set(prefix);
  writeTime(out, prefix.length, timestamp);
  return out;
}

/** Above every version of the key, below those of a longer one that begins with it: no time begins with this byte. */
function behind(prefix: Uint8Array): Uint8Array {
  const out = new Uint8Array(prefix.length + 1);
  out.set(prefix);
  out[prefix.length] = 0xff;
  return out;
}

function present(value: Uint8Array): Uint8Array {
  const out = new Uint8Array(value.length + 1);
  out[0] = 1;
  out.set(value, 1);
  return out;
}

const timeOf = ([key]: Row): number => readTime(key, key.length - timeBytes);
const isTombstone = ([, value]: Row): boolean => value[0] === 0;

const sameKey = ([a]: Row, [b]: Row): boolean =>
  a.length === b.length && Buffer.compare(part(a, 0, -timeBytes), part(b, 0, -timeBytes)) === 0;
