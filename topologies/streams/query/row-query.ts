import { QueryError } from '../errors.ts';
import type { ReadOnlySessionStore } from '../state/session-store.ts';
import type { KeyValueStore, StateStore, StoreSpec, ValueAndTimestamp } from '../state/state-store.ts';
import type { VersionedKeyValueStore } from '../state/versioned-store.ts';
import type { ReadOnlyWindowStore } from '../state/window-store.ts';

/** What is asked of the rows of one partition, with keys as bytes: it can be sent to another instance. */
export type RowQuery =
  | { readonly type: 'get'; readonly key: Uint8Array; readonly asOfMs: number | null }
  | {
      readonly type: 'range';
      readonly from: Uint8Array | null;
      readonly to: Uint8Array | null;
      readonly limit: number;
    }
  | {
      readonly type: 'fetch';
      /** Null: of every key. */
      readonly key: Uint8Array | null;
      readonly fromMs: number;
      readonly toMs: number;
      readonly limit: number;
    };

/** A row as it is stored. */
export interface StoredRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Record time of the value; null in stores that do not keep it. */
  readonly timestamp: number | null;
  /** Of window and session stores. */
  readonly window: { readonly startMs: number; readonly endMs: number } | null;
}

type Bytes = Uint8Array;
type Kept = Bytes | ValueAndTimestamp<Bytes>;

const rowOf = (key: Bytes, kept: Kept, window: StoredRow['window'] = null): StoredRow =>
  kept instanceof Uint8Array
    ? { key, value: kept, timestamp: null, window }
    : { key, value: kept.value, timestamp: kept.timestamp, window };

/**
 * Reads at once, before anything else can write.
 * @param store opened with bytes (see `StoreQueries`)
 * @param windowSizeMs of window stores: how long after its start a window ends
 * @returns at most `limit` rows: by key; of windows of all keys by time, then key
 * @throws QueryError – a store of this kind cannot be read in this way
 */
export function readRows(spec: StoreSpec, store: StateStore, query: RowQuery, windowSizeMs = 0): readonly StoredRow[] {
  // What stands behind the casts is made with the spec, and opened with bytes.
  if (query.type === 'get') {
    if (spec.kind === 'versioned') {
      const version = (store as VersionedKeyValueStore<Bytes, Bytes>).get(query.key, query.asOfMs ?? undefined);
      return version === null ? [] : [rowOf(query.key, version)];
    }
    if (query.asOfMs !== null) throw cannot(spec, 'as of a time', 'leave asOfMs out, or make the table versioned');
    if (isKeyValue(spec)) {
      const value = (store as KeyValueStore<Bytes, Kept>).get(query.key);
      return value === null ? [] : [rowOf(query.key, value)];
    }
    throw cannot(spec, 'with get', 'use fetch');
  }
  if (query.type === 'range') {
    if (spec.kind === 'versioned') {
      if (query.from !== null || query.to !== null) throw cannot(spec, 'by a range of keys', 'use get or all');
      return firstOf((store as VersionedKeyValueStore<Bytes, Bytes>).all(), query.limit, ([key, row]) =>
        rowOf(key, row),
      );
    }
    if (!isKeyValue(spec)) throw cannot(spec, 'by a range of keys', 'use fetch or fetchAll');
    const rows = (store as KeyValueStore<Bytes, Kept>).range(query.from, query.to);
    return firstOf(rows, query.limit, ([key, value]) => rowOf(key, value));
  }
  if (spec.kind === 'window') return windows(store as ReadOnlyWindowStore<Bytes, Kept>, query, windowSizeMs);
  if (spec.kind === 'session') return sessions(store as ReadOnlySessionStore<Bytes, Bytes>, query);
  throw cannot(spec, 'by windows', 'use get, range or all');
}

const isKeyValue = ({ kind }: StoreSpec): boolean => kind === 'key-value' || kind === 'timestamped-key-value';

const cannot = ({ name, kind }: StoreSpec, how: string, cure: string): QueryError =>
  new QueryError(`${name} is a ${kind} store and cannot be read ${how}; nothing was read. Cure: ${cure}.`);

type FetchQuery = Extract<RowQuery, { type: 'fetch' }>;

/** By the starts of the windows. */
function windows(
  store: ReadOnlyWindowStore<Bytes, Kept>,
  { key, fromMs, toMs, limit }: FetchQuery,
  windowSizeMs: number,
): StoredRow[] {
  if (key === null) return firstOf(store.fetchAll(fromMs, toMs), limit, ([of, kept]) => rowOf(of.key, kept, of.window));
  const ofKey = store.fetch(key, fromMs, toMs);
  return firstOf(ofKey, limit, ([startMs, kept]) => rowOf(key, kept, { startMs, endMs: startMs + windowSizeMs }));
}

/** Those that any moment of the time asked for lies in. */
const sessions = (store: ReadOnlySessionStore<Bytes, Bytes>, { key, fromMs, toMs, limit }: FetchQuery): StoredRow[] => {
  const all = key === null ? store.all() : store.findSessions(key, fromMs, toMs);
  const inTime = Iterator.from(all).filter(([{ window }]) => window.endMs >= fromMs && window.startMs <= toMs);
  return firstOf(inTime, limit, ([of, value]) => rowOf(of.key, value, of.window));
};

const firstOf = <T>(rows: Iterable<T>, limit: number, row: (from: T) => StoredRow): StoredRow[] =>
  Iterator.from(rows).take(limit).map(row).toArray();
