import type { LastRead } from '../runtime/last-read.ts';
import type { UndoLog } from './undo-log.ts';

/**
 * The two ends of state. Above: what processors see, typed and synchronous (`KeyValueStore`, …). Below: what a storage engine gives,
 * bytes ordered as unsigned bytes (`BytesStore`, `TaskStorage`), implemented by memory and by LMDB. Between them the engine keeps what
 * is not committed yet in an overlay of its own, so a storage sees writes only after Kafka has committed them: it is never ahead.
 */

/** Committed rows of one store of one task. Only `TaskStorage.write` and `TaskStorage.clear` change it. */
export interface BytesStore {
  /**
   * Bytes that the caller may keep; null when there is no such key.
   * @param name the key as `byteString`, which the caller has at hand
   */
  get(key: Uint8Array, name: string): Uint8Array | null;
  /**
   * Rows with `from <= key < to`, ascending by key bytes, or descending. Null is an open end. The engine writes nothing while it iterates.
   * Keys and values may be kept by the caller.
   */
  range(from: Uint8Array | null, to: Uint8Array | null, options?: { readonly reverse?: boolean }): Iterable<Row>;
  /** Rows of one group (see `StoreSpec.keySuffixBytes`) with `from <= key <= to`, ascending; `low` and `high` are the names of the two ends. */
  ofGroup(from: Uint8Array, to: Uint8Array, low: string, high: string): readonly Row[];
  /** Every key, in no order. */
  keys(): Iterable<Uint8Array>;
  /** Number of rows; an estimate is good enough. */
  count(): number;
}

/** `name` is the key as `byteString`, where whoever made the row had it at hand. */
export type Row = readonly [key: Uint8Array, value: Uint8Array, name?: string];

/** One row to write; a null value deletes it. */
export type RowWrite = readonly [key: Uint8Array, value: Uint8Array | null, name?: string];

/** What is written together or not at all. */
export interface StorageWrite {
  /** Rows by store name; in order, so the last write of a key wins. */
  readonly rows: ReadonlyMap<string, Iterable<RowWrite>>;
  /** Merged into what is there; a null value removes the entry. The names are the engine's own (see `metadata`). */
  readonly metadata: ReadonlyMap<string, string | null>;
}

/**
 * All that one task keeps on this machine: its stores and a small map of text beside them (changelog positions, stream times). One owner
 * at a time; readers elsewhere see one `write` wholly or not at all.
 */
export interface TaskStorage {
  /** The rows of a store; the same object for the same name. An unknown name is a new, empty store. */
  store(spec: StoreSpec): BytesStore;
  /** Atomic over all stores and the metadata. */
  write(write: StorageWrite): void;
  metadata(name: string): string | null;
  /** Forgets the rows and, by the caller's `write`, the position of one store: its changelog is read anew. */
  clear(store: string): void;
  close(): void | Promise<void>;
}

/** What a storage and the topic tool need to know of a store. */
export interface StoreSpec {
  readonly name: string;
  readonly kind: 'key-value' | 'timestamped-key-value' | 'window' | 'session' | 'versioned' | 'buffer';
  /** False: in memory only, restored from the changelog at each start. */
  readonly persistent: boolean;
  /** False: no changelog; a new owner starts from nothing. */
  readonly logged: boolean;
  /** How far back a windowed or versioned store reaches; null where rows live until they are deleted. */
  readonly retentionMs: number | null;
  /** Keys that differ in their last so many bytes alone are a group, which is read at once: the windows of one key. Absent: there are none. */
  readonly keySuffixBytes?: number;
  /** Not logged, since an input of its task holds all that it keeps: it is read again from there. */
  readonly rereads?: RereadSpec;
  /** Topic settings beyond what the kind implies. */
  readonly changelogConfig: Readonly<Record<string, string>>;
}

export interface RereadSpec {
  /** Name of the source node. */
  readonly source: string;
  /** Store of what is left out then. */
  readonly leftOut: string;
  readonly isLeft: boolean;
  /** How far behind the newest record of the input a row may be. */
  readonly reachMs: number;
}

export interface StateStore {
  readonly name: string;
}

/** A write that Kafka has not committed yet. */
export interface DirtyRow {
  readonly key: Uint8Array;
  /** The key as `byteString`; empty where nobody needs it. */
  readonly name: string;
  readonly value: Uint8Array | null;
  /** Record time of the write; the changelog entry carries it. */
  readonly timestamp: number;
}

/** A row that a commit has changed. */
export interface RowChange {
  readonly key: Uint8Array;
  readonly old: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Record time of the write. */
  readonly timestamp: number;
}

/** Rows with writes that are not committed: those of an overlay, and those of a store that keeps all its rows itself. */
export interface UncommittedRows {
  /** How many rows the next `takeDirty` would give. */
  readonly dirtyCount: number;
  /** The writes since the last call, for the transaction that is in flight. Only one take may be open. */
  takeDirty(): Iterable<DirtyRow>;
  /** Forgets every write that is not committed. */
  drop(): void;
}

/** A store in memory with a form of its own instead of rows under an overlay. */
export interface SelfKept extends StateStore, UncommittedRows {
  /** The transaction with what `takeDirty` gave is committed. */
  committed(): void;
  /** Takes up a part of the changelog, before anything else is written. */
  restore(rows: readonly KeptRow[]): void;
  /** Takes up a record of the input that it is read again from. */
  reread?(record: KeptRow & { readonly timestamp: number }): void;
  clear(): void;
}

export interface KeptRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** What a `SelfKept` store needs of the task that it belongs to. */
export interface SelfKeptHost {
  /** Given to the serdes: the changelog's name, or what it would be. */
  readonly topic: string;
  readonly undo: UndoLog;
  readonly lastRead: LastRead;
  /** What stores of one task have in common under a name. */
  shared<T>(name: string, make: () => T): T;
}

/** Ordered by the bytes of the serialised key. */
export interface ReadOnlyKeyValueStore<K, V> extends StateStore {
  get(key: K): V | null;
  /** Both ends inclusive, null is open. What is written while the result is iterated does not show in it. */
  range(from: K | null, to: K | null): Iterable<readonly [K, V]>;
  reverseRange(from: K | null, to: K | null): Iterable<readonly [K, V]>;
  /** Keys whose bytes begin with these; a string stands for its UTF-8 bytes. */
  prefixScan(prefix: Uint8Array | string): Iterable<readonly [K, V]>;
  all(): Iterable<readonly [K, V]>;
  reverseAll(): Iterable<readonly [K, V]>;
  approximateNumEntries(): number;
}

export interface KeyValueStore<K, V> extends ReadOnlyKeyValueStore<K, V> {
  /** A null value deletes. */
  put(key: K, value: V | null): void;
  /** Writes only where nothing is; returns what was there. */
  putIfAbsent(key: K, value: V): V | null;
  /** Returns what was there. */
  delete(key: K): V | null;
}

export interface ValueAndTimestamp<V> {
  readonly value: V;
  readonly timestamp: number;
}

/** What tables and aggregates keep: each value with the record time it is from. */
export type TimestampedKeyValueStore<K, V> = KeyValueStore<K, ValueAndTimestamp<V>>;
