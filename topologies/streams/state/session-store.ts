import type { Windowed } from '../dsl/windowed.ts';
import type { StoreBuilder } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { type AgingRow, AgingRows, type StoreTimes } from './aging-rows.ts';
import type { StoreHost } from './key-value-store.ts';
import type { StateStore } from './state-store.ts';
import { queryable } from './store-queries.ts';

/** One aggregate for each key, start and end. Sessions that end before the newest end put, less the retention, do not show. */
export interface ReadOnlySessionStore<K, A> extends StateStore {
  fetchSession(key: K, startMs: number, endMs: number): A | null;
  /** Sessions of a key that end at or after the one time and start at or before the other, by end, then by start. */
  findSessions(key: K, earliestEndMs: number, latestStartMs: number): Iterable<readonly [Windowed<K>, A]>;
  /** All sessions of a key, by end. */
  fetch(key: K): Iterable<readonly [Windowed<K>, A]>;
  /** All sessions, by end, start and the bytes of the key. */
  all(): Iterable<readonly [Windowed<K>, A]>;
}

export interface SessionStore<K, A> extends ReadOnlySessionStore<K, A> {
  /** A null aggregate deletes. A session that would not show is not kept. */
  put(session: Windowed<K>, aggregate: A | null): void;
  remove(session: Windowed<K>): void;
}

/** What session aggregations use beyond that. They sweep by themselves: a session that has just closed must still be told. */
export interface AggregateSessionStore extends SessionStore<unknown, unknown> {
  readonly times: StoreTimes;
  sweep(): void;
  /** Sessions of all keys that end in this range, by end, start and key. */
  findClosed(fromEndMs: number, toEndMs: number): Iterable<readonly [Windowed<unknown>, unknown]>;
  /** The same, with sessions that have ceased to show since the last `sweep`. */
  findClosedWithForgotten(fromEndMs: number, toEndMs: number): Iterable<readonly [Windowed<unknown>, unknown]>;
}

export interface SessionStoreOptions<K, A> {
  /** Names the changelog: `<application-id>-<name>-changelog`. */
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<A>;
  /** How long a session is kept after its end, by the newest end put. */
  readonly retentionMs: number;
  /** False: sessions live in memory and are restored from the changelog at each start. Default true. */
  readonly persistent?: boolean;
  /** False: no changelog; a new owner begins with nothing. Default true. */
  readonly logged?: boolean;
  readonly changelogConfig?: Readonly<Record<string, string>>;
}

/** For a processor: dead sessions are swept with every put. */
export const sessionStore = <K, A>(options: SessionStoreOptions<K, A>): StoreBuilder =>
  builderOf(options, { keepsBound: false, sweepsItself: true });

/** @param keepsBound see `AgingOptions` */
export const aggregateSessionStore = <K, A>(options: SessionStoreOptions<K, A>, keepsBound: boolean): StoreBuilder =>
  builderOf(options, { keepsBound, sweepsItself: false });

interface Manner {
  readonly keepsBound: boolean;
  readonly sweepsItself: boolean;
}

const builderOf = <K, A>(options: SessionStoreOptions<K, A>, manner: Manner): StoreBuilder => ({
  spec: {
    name: options.name,
    kind: 'session',
    persistent: options.persistent ?? true,
    logged: options.logged ?? true,
    retentionMs: options.retentionMs,
    changelogConfig: options.changelogConfig ?? {},
  },
  ...queryable(options, (serdes, host) => new BytesSessionStore(host, { ...options, ...serdes }, manner)),
});

class BytesSessionStore<K, A> implements SessionStore<K, A> {
  readonly name: string;
  readonly #options: SessionStoreOptions<K, A>;
  readonly #topic: string;
  readonly #rows: AgingRows;
  readonly #sweepsItself: boolean;

  constructor(host: StoreHost, options: SessionStoreOptions<K, A>, { keepsBound, sweepsItself }: Manner) {
    this.name = options.name;
    this.#options = options;
    this.#topic = host.topic;
    this.#rows = new AgingRows(host, { retentionMs: options.retentionMs, keepsBound, times: 2 });
    this.#sweepsItself = sweepsItself;
  }

  get times(): StoreTimes {
    return this.#rows.times;
  }

  sweep(): void {
    this.#rows.sweep();
  }

  put({ key, window }: Windowed<K>, aggregate: A | null): void {
    if (this.#sweepsItself) this.sweep();
    const bytes = aggregate === null ? null : this.#options.valueSerde.serialize(this.#topic, aggregate);
    this.#rows.put(this.#keyBytes(key), { age: window.endMs, other: window.startMs }, bytes);
  }

  remove(session: Windowed<K>): void {
    this.put(session, null);
  }

  fetchSession(key: K, startMs: number, endMs: number): A | null {
    const bytes = this.#rows.get(this.#keyBytes(key), { age: endMs, other: startMs });
    return bytes === null ? null : this.#value(bytes);
  }

  *findSessions(key: K, earliestEndMs: number, latestStartMs: number): Generator<readonly [Windowed<K>, A]> {
    const from = { age: earliestEndMs, other: 0 };
    for (const { age, other, value } of this.#rows.ofKey(this.#keyBytes(key), from, lastMoment)) {
      if (other <= latestStartMs) yield [{ key, window: { startMs: other, endMs: age } }, this.#value(value)];
    }
  }

  fetch(key: K): Iterable<readonly [Windowed<K>, A]> {
    return this.findSessions(key, 0, Number.MAX_SAFE_INTEGER);
  }

  all(): Iterable<readonly [Windowed<K>, A]> {
    return this.findClosed(0, Number.MAX_SAFE_INTEGER);
  }

  findClosed(fromEndMs: number, toEndMs: number): Iterable<readonly [Windowed<K>, A]> {
    return this.#sessions(this.#rows.inTime(fromEndMs, toEndMs));
  }

  findClosedWithForgotten(fromEndMs: number, toEndMs: number): Iterable<readonly [Windowed<K>, A]> {
    return this.#sessions(this.#rows.inTimeWithForgotten(fromEndMs, toEndMs));
  }

  *#sessions(rows: Iterable<AgingRow>): Generator<readonly [Windowed<K>, A]> {
    for (const { key, age, other, value } of rows) {
      const window = { startMs: other, endMs: age };
      yield [{ key: this.#options.keySerde.deserialize(this.#topic, key), window }, this.#value(value)];
    }
  }

  #keyBytes(key: K): Uint8Array {
    if (key === null || key === undefined)
      throw new TypeError(`store ${this.name}: the key is null; a store has no session for it`);
    return this.#options.keySerde.serialize(this.#topic, key);
  }

  #value(bytes: Uint8Array): A {
    return this.#options.valueSerde.deserialize(this.#topic, bytes);
  }
}

const lastMoment = { age: Number.MAX_SAFE_INTEGER - 1, other: Number.MAX_SAFE_INTEGER };
