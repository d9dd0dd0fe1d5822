import { TopologyError } from '../errors.ts';
import type { TaskContext } from '../plan/node.ts';
import type { AggregateState } from '../runtime/operators/aggregate.ts';
import type { TableState } from '../runtime/operators/table.ts';
import { type Getter, tableRowsOf } from '../runtime/operators/table-rows.ts';
import { TypedKeyValueStore } from '../state/key-value-store.ts';
import type { ValueAndTimestamp } from '../state/state-store.ts';
import type { SuppressBuffer } from '../state/suppress-buffer.ts';
import { BytesVersionedStore } from '../state/versioned-store.ts';

type BytesOf = (key: unknown) => Uint8Array | null;

/** How rows of a table are looked up by another operator. */
export interface TableView {
  /** What the operator that looks up must be connected to. */
  readonly stores: readonly string[];
  readonly getter: (task: TaskContext) => Getter;
  /**
   * The stored bytes that a row is made of. Two versions of a row are compared by them and not by its value serialised anew, because an
   * encoder may write other bytes tomorrow (KAFKA-15303: a new schema id). Absent or null: such a table has none.
   */
  readonly bytes?: (task: TaskContext) => BytesOf | null;
}

/** What later steps may demand of a table while the topology is written. Kafka Streams decides it by the same calls. */
export interface TableBehaviour {
  /**
   * From now on changes carry the old value.
   * @param force the table gets a store if it has none; otherwise it says no
   * @returns whether they do
   */
  sendOldValues(force: boolean): boolean;
  /** Gives a source its store if it has none: a table that is looked up must be kept. */
  view(): TableView;
  /** How far back rows can be looked up as of a time, ms; updates may then be out of order. Absent: only rows as they are now. */
  readonly versionedMs?: number | undefined;
}

const storeView = (store: string): TableView => ({
  stores: [store],
  getter: (task) => {
    const rows = tableRowsOf(task, store);
    return (key, asOfTimestamp) => rows.get(key, asOfTimestamp);
  },
  bytes: (task) => {
    const kept = task.store(store);
    if (!(kept instanceof TypedKeyValueStore || kept instanceof BytesVersionedStore)) return null; // windows and sessions
    const rows = tableRowsOf(task, store);
    return (key) => rows.valueBytesOf(key);
  },
});

/** A row of two: the length of the left part keeps them apart. */
function bothBytes(left: Uint8Array | null, right: Uint8Array | null): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeInt32BE(left?.length ?? -1);
  return Buffer.concat([length, left ?? nothing, Uint8Array.of(right === null ? 0 : 1), right ?? nothing]);
}
const nothing = new Uint8Array(0);

const stored = (state: TableState): TableView => {
  if (state.store === null) throw new TopologyError('a table without rows was asked for one');
  return storeView(state.store);
};

/** A table read from a topic or made of a stream. */
export const sourceBehaviour = (
  state: TableState,
  materialise: () => void,
  versionedMs: number | undefined,
): TableBehaviour => ({
  versionedMs,
  sendOldValues(force) {
    if (state.store === null && !force) return false;
    if (state.store === null) materialise();
    state.sendsOldValues = true;
    return true;
  },
  view() {
    if (state.store === null) materialise();
    return stored(state);
  },
});

/** @param getter for a table that does not stand in a key-value store: how its rows are looked up in the store that it has */
export const aggregateBehaviour = (state: AggregateState, getter?: TableView['getter']): TableBehaviour => ({
  sendOldValues() {
    state.sendsOldValues = true;
    return true;
  },
  view: () => (getter === undefined ? storeView(state.store) : { stores: [state.store], getter }),
});

/** A table computed row by row of another one: `compute` gives the row's value, null where there is none. */
export const derivedBehaviour = (
  state: TableState,
  parent: TableBehaviour,
  compute: (value: unknown, key: unknown) => unknown,
  versionedMs?: number,
): TableBehaviour => ({
  versionedMs: state.store === null ? parent.versionedMs : versionedMs,
  sendOldValues(force) {
    if (state.store !== null || parent.sendOldValues(force)) state.sendsOldValues = true;
    return state.sendsOldValues;
  },
  view() {
    if (state.store !== null) return stored(state);
    const { stores, getter, bytes } = parent.view();
    return {
      stores,
      ...(bytes === undefined ? {} : { bytes }),
      getter: (task) => {
        const get = getter(task);
        return (key, asOfTimestamp) => {
          const row = get(key, asOfTimestamp);
          const value = compute(row?.value ?? null, key);
          return value === null ? null : { value, timestamp: row?.timestamp ?? -1 };
        };
      },
    };
  },
});

/** Rows are those that those below have been told: of a key that is held back, the one from before. */
export const suppressedBehaviour = (store: string, parent: TableBehaviour): TableBehaviour => ({
  sendOldValues: (force) => parent.sendOldValues(force),
  view() {
    const { stores, getter } = parent.view();
    return {
      stores: [store, ...stores],
      getter: (task) => {
        const get = getter(task);
        const buffer = task.store(store) as SuppressBuffer; // made by the builder of this step
        return (key) => {
          const prior = buffer.priorValue(key);
          if (prior === undefined) return get(key);
          return prior === null ? null : { value: prior, timestamp: -1 }; // its time has not been kept, as in the original
        };
      },
    };
  },
});

export interface JoinedSides {
  readonly left: TableBehaviour;
  readonly right: TableBehaviour;
  readonly type: 'inner' | 'left' | 'outer';
  readonly join: (key: unknown, left: unknown, right: unknown) => unknown;
  /** Of the two join nodes and of the merged table. */
  readonly states: readonly TableState[];
}

/** A join of two tables: without a store of its own a row is computed when it is looked up. */
export const joinedBehaviour = (
  state: TableState,
  sides: JoinedSides,
  versionedMs: number | undefined,
): TableBehaviour => ({
  versionedMs: state.store === null ? undefined : versionedMs,
  sendOldValues() {
    sides.left.sendOldValues(true);
    sides.right.sendOldValues(true);
    for (const one of sides.states) one.sendsOldValues = true;
    return true;
  },
  view() {
    if (state.store !== null) return stored(state);
    const left = sides.left.view();
    const right = sides.right.view();
    return {
      stores: [...new Set([...left.stores, ...right.stores])],
      getter: (task) => {
        const leftOf = left.getter(task);
        const rightOf = right.getter(task);
        return (key) => joinedRow(sides, key, leftOf(key), rightOf(key));
      },
      ...(left.bytes === undefined || right.bytes === undefined ? {} : { bytes: joinedBytes(left.bytes, right.bytes) }),
    };
  },
});

type Bytes = NonNullable<TableView['bytes']>;

const joinedBytes =
  (left: Bytes, right: Bytes): Bytes =>
  (task) => {
    const [leftOf, rightOf] = [left(task), right(task)];
    if (leftOf === null || rightOf === null) return null;
    return (key) => bothBytes(leftOf(key), rightOf(key));
  };

type Row = ValueAndTimestamp<unknown> | null;

function joinedRow({ type, join }: JoinedSides, key: unknown, left: Row, right: Row): Row {
  const there =
    type === 'inner'
      ? left !== null && right !== null
      : type === 'left'
        ? left !== null
        : left !== null || right !== null;
  if (!there) return null;
  const value = join(key, left?.value ?? null, right?.value ?? null);
  if (value === null) return null;
  return { value, timestamp: Math.max(left?.timestamp ?? -1, right?.timestamp ?? -1) };
}
