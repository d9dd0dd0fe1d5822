import type { Observable } from 'rxjs';
import type { Serde } from '../serde.ts';
import type { KeyOwner, PartitionAnswer } from './application-queries.ts';
import type { ChangeGap } from './change-queue.ts';
import type { RowQuery, StoredRow } from './row-query.ts';
import { type ChangeOptions, observed, type StoreChange } from './store-changes.ts';

export interface QueryRow<K, V> {
  readonly key: K;
  readonly value: V;
  /** Record time of the value; null in stores that do not keep it. */
  readonly timestamp: number | null;
}

export interface WindowRow<K, V> extends QueryRow<K, V> {
  readonly window: { readonly startMs: number; readonly endMs: number };
}

/** Committed rows, and how far they may be behind. */
export interface QueryResult<T> {
  readonly value: T;
  /** By partition of the changelog (`topic-partition`) the next offset that is not in it. Empty where the store has none. */
  readonly position: Readonly<Record<string, number>>;
  /** The group moves or the task is being restored: these are the last known rows. */
  readonly stale: boolean;
  /** Records of the task's inputs that are not in it; while the task is not running also of the changelog. Null: nobody can say at this moment. */
  readonly lag: number | null;
}

export interface RowsResult<R> extends QueryResult<readonly R[]> {
  /** There are more than `limit`. */
  readonly truncated: boolean;
}

export interface LimitOptions {
  /** Default 10,000. */
  readonly limit?: number;
}

export interface QueryableStoreHost<K, V> {
  readonly name: string;
  /** Given to the serdes of what is stored. */
  readonly topic: string;
  /** Where the keys were partitioned: given to the key serde for that. */
  readonly sourceTopic: string;
  readonly changelog: string | null;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  readonly partitions: () => number | Promise<number>;
  readonly partitionOf: (key: K, bytes: Uint8Array, partitions: number) => number;
  readonly ask: (partition: number, query: RowQuery) => Promise<PartitionAnswer>;
  readonly owner: (partition: number) => Promise<KeyOwner>;
  readonly changes: (options?: ChangeOptions) => AsyncIterableIterator<StoreChange<K, V> | ChangeGap>;
}

const usualLimit = 10_000;

/**
 * One store over all its partitions, for looking only. No answer is an error because of a rebalance, a restore or an instance that is
 * gone: see `stale`.
 * @throws QueryError (each method) – the store's kind cannot be read in this way
 */
export class QueryableStore<K, V> {
  readonly #host: QueryableStoreHost<K, V>;

  constructor(host: QueryableStoreHost<K, V>) {
    this.#host = host;
  }

  /** @param options.asOfMs of a versioned store: the value that was valid then */
  async get(
    key: K,
    options: { readonly asOfMs?: number } = {},
  ): Promise<QueryResult<V | null> & { readonly timestamp: number | null }> {
    const query: RowQuery = { type: 'get', key: this.#bytes(key), asOfMs: options.asOfMs ?? null };
    const { value, ...rest } = await this.#ofKey(key, query, (row) => row);
    const [row] = value;
    return { ...rest, value: row?.value ?? null, timestamp: row?.timestamp ?? null };
  }

  /** By the bytes of the keys, both ends inclusive, null is open. */
  range(from: K | null, to: K | null, { limit = usualLimit }: LimitOptions = {}): Promise<RowsResult<QueryRow<K, V>>> {
    const low = from === null ? null : this.#bytes(from);
    const high = to === null ? null : this.#bytes(to);
    return this.#ofAll(
      (most) => ({ type: 'range', from: low, to: high, limit: most }),
      limit,
      (row) => row,
    );
  }

  all(options: LimitOptions = {}): Promise<RowsResult<QueryRow<K, V>>> {
    return this.range(null, null, options);
  }

  /** Windows of a key that begin in this time, or sessions of it that lie in it at least in part; both ends inclusive. */
  async fetch(
    key: K,
    fromMs: number,
    toMs: number,
    { limit = usualLimit }: LimitOptions = {},
  ): Promise<RowsResult<WindowRow<K, V>>> {
    const query: RowQuery = { type: 'fetch', key: this.#bytes(key), fromMs, toMs, limit: limit + 1 };
    const result = await this.#ofKey(key, query, windowRow);
    return { ...result, value: result.value.slice(0, limit), truncated: result.value.length > limit };
  }

  /** The same of all keys, by time, then by the bytes of the key. */
  fetchAll(
    fromMs: number,
    toMs: number,
    { limit = usualLimit }: LimitOptions = {},
  ): Promise<RowsResult<WindowRow<K, V>>> {
    return this.#ofAll((most) => ({ type: 'fetch', key: null, fromMs, toMs, limit: most }), limit, windowRow);
  }

  /** Which instance has the rows of a key now. */
  async owner(key: K): Promise<KeyOwner> {
    return this.#host.owner(await this.#partitionOf(key));
  }

  /**
   * What this instance's tasks have changed, told after the commit and never of work that was aborted; other instances tell of theirs. A
   * reader that is slow, and a task that begins here, make a gap. An Observable asks nobody how fast he is: with work that takes time use `changes`.
   */
  changes$(options?: ChangeOptions): Observable<StoreChange<K, V> | ChangeGap> {
    return observed(() => this.#host.changes(options));
  }

  /** The same, taken one after the other, from the call on. */
  changes(options?: ChangeOptions): AsyncIterableIterator<StoreChange<K, V> | ChangeGap> {
    return this.#host.changes(options);
  }

  async #ofKey<R>(
    key: K,
    query: RowQuery,
    row: (row: QueryRow<K, V>, stored: StoredRow) => R,
  ): Promise<QueryResult<readonly R[]>> {
    const partition = await this.#partitionOf(key);
    const answer = await this.#host.ask(partition, query);
    return this.#result([{ partition, answer }], answer.rows, row);
  }

  async #ofAll<R>(
    query: (limit: number) => RowQuery,
    limit: number,
    row: (row: QueryRow<K, V>, stored: StoredRow) => R,
  ): Promise<RowsResult<R>> {
    const { partitions, ask } = this.#host;
    const asked = query(limit + 1);
    const length = await partitions();
    const answers = await Promise.all(
      Array.from({ length }, async (_, partition) => ({
        partition,
        answer: await ask(partition, asked),
      })),
    );
    const rows = answers.flatMap(({ answer }) => answer.rows);
    if (answers.length > 1) rows.sort(inOrder);
    const result = await this.#result(answers, rows.slice(0, limit), row);
    return { ...result, truncated: rows.length > limit };
  }

  async #result<R>(
    answers: readonly { readonly partition: number; readonly answer: PartitionAnswer }[],
    rows: readonly StoredRow[],
    row: (row: QueryRow<K, V>, stored: StoredRow) => R,
  ): Promise<QueryResult<readonly R[]>> {
    const { topic, keySerde, valueSerde, changelog } = this.#host;
    const waits = rows.flatMap(({ key, value }) => [
      keySerde.prepare?.(topic, key) ?? [],
      valueSerde.prepare?.(topic, value) ?? [],
    ]);
    await Promise.all(waits.flat());
    const value = rows.map((stored) =>
      row(
        {
          key: keySerde.deserialize(topic, stored.key),
          value: valueSerde.deserialize(topic, stored.value),
          timestamp: stored.timestamp,
        },
        stored,
      ),
    );
    const position = answers.flatMap(({ partition, answer }) =>
      answer.position === null || changelog === null ? [] : [[`${changelog}-${partition}`, answer.position]],
    );
    const lags = answers.map(({ answer }) => answer.lag);
    return {
      value,
      position: Object.fromEntries(position),
      stale: answers.length === 0 || answers.some(({ answer }) => answer.stale),
      lag: answers.length === 0 || lags.includes(null) ? null : lags.reduce<number>((sum, one) => sum + (one ?? 0), 0),
    };
  }

  #bytes(key: K): Uint8Array {
    return this.#host.keySerde.serialize(this.#host.topic, key);
  }

  async #partitionOf(key: K): Promise<number> {
    const { keySerde, sourceTopic, partitions, partitionOf } = this.#host;
    return partitionOf(key, keySerde.serialize(sourceTopic, key), await partitions());
  }
}

const windowRow = <K, V>(row: QueryRow<K, V>, { window }: StoredRow): WindowRow<K, V> => ({
  ...row,
  window: window ?? { startMs: 0, endMs: 0 }, // rows that were fetched have one
});

const inOrder = (a: StoredRow, b: StoredRow): number =>
  (a.window?.startMs ?? 0) - (b.window?.startMs ?? 0) ||
  (a.window?.endMs ?? 0) - (b.window?.endMs ?? 0) ||
  Buffer.compare(a.key, b.key);
