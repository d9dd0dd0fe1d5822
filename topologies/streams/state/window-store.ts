import type { Windowed } from '../dsl/windowed.ts';
import type { StoreBuilder } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { type AgingRow, AgingRows, type StoreTimes } from './aging-rows.ts';
import { type StoreHost, timestampedSerde } from './key-value-store.ts';
import type { StateStore, ValueAndTimestamp } from './state-store.ts';
import { queryable } from './store-queries.ts';

/** One value for each key and window start. Windows that begin before the newest start put, less the retention, do not show. */
export interface ReadOnlyWindowStore<K, V> extends StateStore {
  fetch(key: K, startMs: number): V | null;
  /** Windows of a key that begin in this range, both ends inclusive, the earliest first. Later writes do not show in it. */
  fetch(key: K, fromMs: number, toMs: number): Iterable<readonly [startMs: number, value: V]>;
  /** The same, the latest first. */
  backwardFetch(key: K, fromMs: number, toMs: number): Iterable<readonly [startMs: number, value: V]>;
  /** Windows of all keys that begin in this range, by start, then by the bytes of the key. */
  fetchAll(fromMs: number, toMs: number): Iterable<readonly [Windowed<K>, V]>;
  all(): Iterable<readonly [Windowed<K>, V]>;
}

export interface WindowStore<K, V> extends ReadOnlyWindowStore<K, V> {
  /** A null value deletes. A window that would not show is not kept. */
  put(key: K, value: V | null, startMs: number): void;
}

/** What windowed aggregations use beyond that. They sweep by themselves: a window that has just closed must still be told. */
export interface AggregateWindowStore extends WindowStore<unknown, ValueAndTimestamp<unknown>> {
  readonly times: StoreTimes;
  sweep(): void;
  /** As `fetchAll`, with windows that have ceased to show since the last `sweep`. */
  fetchAllWithForgotten(
    fromMs: number,
    toMs: number,
  ): Iterable<readonly [Windowed<unknown>, ValueAndTimestamp<unknown>]>;
}

export interface WindowStoreOptions<K, V> {
  /** Names the changelog: `<application-id>-<name>-changelog`. */
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** How long a window is kept after its start, by the newest start put. */
  readonly retentionMs: number;
  /** What `endMs` of a window is counted from. */
  readonly windowSizeMs: number;
  /** False: windows live in memory and are restored from the changelog at each start. Default true. */
  readonly persistent?: boolean;
  /** False: no changelog; a new owner begins with nothing. Default true. */
  readonly logged?: boolean;
  readonly changelogConfig?: Readonly<Record<string, string>>;
}

/** For a processor: dead windows are swept with every put. */
export const windowStore = <K, V>(options: WindowStoreOptions<K, V>): StoreBuilder => ({
  spec: specOf(options as WindowStoreOptions<never, never>), // serdes are not looked at
  ...queryable(
    options,
    (serdes, host) => new BytesWindowStore(host, { ...options, ...serdes }, { keepsBound: false, sweepsItself: true }),
    { windowSizeMs: options.windowSizeMs },
  ),
});

/** @param keepsBound see `AgingOptions` */
export const aggregateWindowStore = <K, V>(options: WindowStoreOptions<K, V>, keepsBound: boolean): StoreBuilder => ({
  spec: specOf(options as WindowStoreOptions<never, never>), // likewise
  ...queryable(
    options,
    ({ keySerde, valueSerde }, host) =>
      new BytesWindowStore(
        host,
        { ...options, keySerde, valueSerde: timestampedSerde(valueSerde) },
        { keepsBound, sweepsItself: false },
      ),
    { timed: true, windowSizeMs: options.windowSizeMs },
  ),
});

const specOf = (options: WindowStoreOptions<never, never>): StoreBuilder['spec'] => ({
  name: options.name,
  kind: 'window',
  persistent: options.persistent ?? true,
  logged: options.logged ?? true,
  retentionMs: options.retentionMs,
  changelogConfig: options.changelogConfig ?? {},
});

class BytesWindowStore<K, V> implements WindowStore<K, V> {
  readonly name: string;
  readonly #options: WindowStoreOptions<K, V>;
  readonly #topic: string;
  readonly #rows: AgingRows;
  readonly #sweepsItself: boolean;

  constructor(
    host: StoreHost,
    options: WindowStoreOptions<K, V>,
    manner: { readonly keepsBound: boolean; readonly sweepsItself: boolean },
  ) {
    this.name = options.name;
    this.#options = options;
    this.#topic = host.topic;
    this.#rows = new AgingRows(host, {
      retentionMs: options.retentionMs,
      keepsBound: manner.keepsBound,
      times: 1,
    });
    this.#sweepsItself = manner.sweepsItself;
  }

  get times(): StoreTimes {
    return this.#rows.times;
  }

  sweep(): void {
    this.#rows.sweep();
  }

  put(key: K, value: V | null, startMs: number): void {
    if (this.#sweepsItself) this.sweep();
    const bytes = value === null ? null : this.#options.valueSerde.serialize(this.#topic, value);
    this.#rows.put(this.#keyBytes(key), at(startMs), bytes);
  }

  fetch(key: K, startMs: number): V | null;
  fetch(key: K, fromMs: number, toMs: number): Iterable<readonly [number, V]>;
  fetch(key: K, fromMs: number, toMs?: number): V | null | Iterable<readonly [number, V]> {
    if (toMs !== undefined) return this.#ofKey(key, fromMs, toMs, false);
    const bytes = this.#rows.get(this.#keyBytes(key), at(fromMs));
    return bytes === null ? null : this.#value(bytes);
  }

  backwardFetch(key: K, fromMs: number, toMs: number): Iterable<readonly [number, V]> {
    return this.#ofKey(key, fromMs, toMs, true);
  }

  fetchAll(fromMs: number, toMs: number): Iterable<readonly [Windowed<K>, V]> {
    return this.#windowed(this.#rows.inTime(fromMs, toMs));
  }

  fetchAllWithForgotten(fromMs: number, toMs: number): Iterable<readonly [Windowed<K>, V]> {
    return this.#windowed(this.#rows.inTimeWithForgotten(fromMs, toMs));
  }

  all(): Iterable<readonly [Windowed<K>, V]> {
    return this.fetchAll(0, Number.MAX_SAFE_INTEGER);
  }

  *#ofKey(key: K, fromMs: number, toMs: number, reverse: boolean): Generator<readonly [number, V]> {
    for (const { age, value } of this.#rows.ofKey(this.#keyBytes(key), at(fromMs), at(toMs), reverse))
      yield [age, this.#value(value)];
  }

  *#windowed(rows: Iterable<AgingRow>): Generator<readonly [Windowed<K>, V]> {
    const { keySerde, windowSizeMs } = this.#options;
    for (const { key, age, value } of rows) {
      const window = { startMs: age, endMs: age + windowSizeMs };
      yield [{ key: keySerde.deserialize(this.#topic, key), window }, this.#value(value)];
    }
  }

  #keyBytes(key: K): Uint8Array {
    if (key === null || key === undefined)
      throw new TypeError(`store ${this.name}: the key is null; a store has no window for it`);
    return this.#options.keySerde.serialize(this.#topic, key);
  }

  #value(bytes: Uint8Array): V {
    return this.#options.valueSerde.deserialize(this.#topic, bytes);
  }
}

const at = (startMs: number) => ({ age: startMs, other: 0 });
