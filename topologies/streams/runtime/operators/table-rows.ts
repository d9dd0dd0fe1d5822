import type { TaskContext } from '../../plan/node.ts';
import type { TypedKeyValueStore } from '../../state/key-value-store.ts';
import type { ValueAndTimestamp } from '../../state/state-store.ts';
import { BytesVersionedStore, type VersionedPut } from '../../state/versioned-store.ts';

/** Looks up the row of a key in a table, materialised or not; as of a time where the table is versioned, else as it is now. */
export type Getter = (key: unknown, asOfTimestamp?: number) => ValueAndTimestamp<unknown> | null;

/** What a table keeps its rows in, versioned or not (`KeyValueStoreWrapper`). */
export interface TableRows {
  readonly get: Getter;
  /** The latest row's value as it is stored, without its time: the same value written again is the same. */
  valueBytesOf(key: unknown): Uint8Array | null;
  /** A null value deletes. Only of a versioned store a row may be anything but the latest. */
  put(key: unknown, value: unknown, timestamp: number): VersionedPut;
}

/** Before a row's value stands its time. */
const timeBytes = 8;

export function tableRowsOf(task: TaskContext, store: string): TableRows {
  const opened = task.store(store);
  if (opened instanceof BytesVersionedStore) return opened;
  const rows = opened as TypedKeyValueStore<unknown, ValueAndTimestamp<unknown>>; // the other kind of store that tables have
  return {
    get: (key) => rows.get(key),
    valueBytesOf: (key) => rows.bytesOf(key)?.subarray(timeBytes) ?? null,
    put: (key, value, timestamp) => {
      rows.put(key, value === null ? null : { value, timestamp });
      return 'latest';
    },
  };
}

export const tableRowsIf = (task: TaskContext, store: string | null): TableRows | null =>
  store === null ? null : tableRowsOf(task, store);
