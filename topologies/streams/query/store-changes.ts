import { Observable } from 'rxjs';
import { QueryError } from '../errors.ts';
import type { ChangeListener } from '../runtime/task-stores.ts';
import type { Serde } from '../serde.ts';
import { agingKeyOf } from '../state/aging-rows.ts';
import { readTime } from '../state/key-value-store.ts';
import type { RowChange, StoreSpec } from '../state/state-store.ts';
import { type ChangeGap, ChangeQueue } from './change-queue.ts';

/** A row that was changed by a transaction that is committed. Several writes of one transaction are one change. */
export interface StoreChange<K, V> {
  readonly type: 'change';
  readonly key: K;
  /** Of window and session stores. */
  readonly window: { readonly startMs: number; readonly endMs: number } | null;
  /** Null: there was none. */
  readonly old: V | null;
  /** Null: deleted, also by the retention of a window. */
  readonly value: V | null;
  /** Record time of the write. */
  readonly timestamp: number;
  readonly partition: number;
  /** Next offset of the changelog behind the transaction; null: the store has none. */
  readonly position: number | null;
}

export interface ChangeOptions {
  /** How many changes may wait for a reader; beyond it they are missed, and a gap says so. Default 10,000. */
  readonly maxBuffered?: number;
}

/** As it is stored: it can be sent to another thread. */
export interface StoredChange extends RowChange {
  readonly type: 'stored';
  readonly partition: number;
  readonly position: number | null;
}

/** How the changes of one store are read. */
export interface ChangeReader<K, V> {
  readonly spec: StoreSpec;
  readonly topic: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** See `StoreQueries`. */
  readonly timed: boolean;
  readonly windowSizeMs: number;
}

/** Changes of one store that wait for one reader. */
export interface OpenChanges {
  /** Null: there will be no more. */
  take(): Promise<StoredChange | ChangeGap | null>;
  takeMany(atMost: number): Promise<readonly (StoredChange | ChangeGap)[] | null>;
  end(): void;
}

export const usuallyBuffered = 10_000;

/** Hands committed changes of one application's tasks on this instance to those who look; costs nothing where nobody does. */
export class StoreChanges implements ChangeListener {
  readonly #readers = new Map<string, Set<ChangeQueue<StoredChange>>>();
  #closed = false;

  wants(store: string): boolean {
    return this.#readers.has(store);
  }

  committed(store: string, partition: number, changes: readonly RowChange[], position: number | null): void {
    for (const queue of this.#readers.get(store) ?? [])
      for (const change of changes) queue.push({ type: 'stored', partition, position, ...change });
  }

  begins(store: string, partition: number): void {
    for (const queue of this.#readers.get(store) ?? []) queue.push({ type: 'gap', missed: null, partition });
  }

  /** From now on; ends when the worker is closed. */
  of<K, V>(
    reader: ChangeReader<K, V>,
    options: ChangeOptions = {},
  ): AsyncIterableIterator<StoreChange<K, V> | ChangeGap> {
    return typedChanges(reader, () => this.open(reader.spec.name, options.maxBuffered ?? usuallyBuffered));
  }

  open(store: string, most: number): OpenChanges {
    const queue = new ChangeQueue<StoredChange>(most);
    const readers = this.#readers.get(store) ?? new Set();
    if (this.#closed) queue.close();
    else this.#readers.set(store, readers.add(queue));
    return {
      take: () => queue.take(),
      takeMany: (atMost) => queue.takeMany(atMost),
      end: () => {
        queue.close();
        readers.delete(queue);
        if (readers.size === 0) this.#readers.delete(store);
      },
    };
  }

  close(): void {
    this.#closed = true;
    for (const readers of this.#readers.values()) for (const queue of readers) queue.close();
  }
}

/** @param open begins to keep changes for this reader */
export function typedChanges<K, V>(
  reader: ChangeReader<K, V>,
  open: () => Pick<OpenChanges, 'take' | 'end'>,
): AsyncIterableIterator<StoreChange<K, V> | ChangeGap> {
  const { name, kind } = reader.spec;
  if (kind === 'versioned')
    throw new QueryError(`${name} is versioned: its changes are not told. Cure: follow the table's stream.`);
  const changes = open();
  const end = async (): Promise<IteratorReturnResult<undefined>> => {
    changes.end();
    return { done: true, value: undefined };
  };
  const iterator: AsyncIterableIterator<StoreChange<K, V> | ChangeGap> = {
    [Symbol.asyncIterator]: () => iterator,
    next: async () => {
      for (;;) {
        const item = await changes.take();
        if (item === null) return end();
        if (item.type === 'gap') return { done: false, value: item };
        const change = await typed(reader, item);
        if (change !== null) return { done: false, value: change };
      }
    },
    return: end,
  };
  return iterator;
}

/** The same as an Observable: each subscription has a queue of its own. */
export const observed = <T>(open: () => AsyncIterableIterator<T>): Observable<T> =>
  new Observable<T>((subscriber) => {
    const iterator = open();
    const run = async (): Promise<void> => {
      for await (const item of iterator) subscriber.next(item);
      subscriber.complete();
    };
    run().catch((error: unknown) => subscriber.error(error));
    return () => void iterator.return?.();
  });

/** Null: a row that the store keeps for itself. */
async function typed<K, V>(reader: ChangeReader<K, V>, change: StoredChange): Promise<StoreChange<K, V> | null> {
  const { spec, topic, keySerde, valueSerde, timed, windowSizeMs } = reader;
  const { partition, position } = change;
  const place = placeOf(spec, change.key, windowSizeMs);
  if (place === null) return null;
  const [old, value] = [change.old, change.value].map((row) => (timed && row !== null ? row.subarray(8) : row));
  await keySerde.prepare?.(topic, place.key);
  for (const row of [old, value]) if (row) await valueSerde.prepare?.(topic, row);
  return {
    type: 'change',
    key: keySerde.deserialize(topic, place.key),
    window: place.window,
    old: old ? valueSerde.deserialize(topic, old) : null,
    value: value ? valueSerde.deserialize(topic, value) : null,
    timestamp: timed && change.value !== null ? readTime(change.value, 0) : change.timestamp,
    partition,
    position,
  };
}

function placeOf({ kind }: StoreSpec, row: Uint8Array, windowSizeMs: number) {
  if (kind === 'window') {
    const at = agingKeyOf(row, 1);
    return at && { key: at.key, window: { startMs: at.age, endMs: at.age + windowSizeMs } };
  }
  if (kind === 'session') {
    const at = agingKeyOf(row, 2);
    return at && { key: at.key, window: { startMs: at.other, endMs: at.age } };
  }
  return { key: row, window: null };
}
