import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { TimestampedKeyValueStore, ValueAndTimestamp } from '../../state/state-store.ts';
import { type AnyRecord, type Change, withValue } from '../record.ts';
import { type Emit, operator } from './operator.ts';

export type TableRows = TimestampedKeyValueStore<unknown, unknown>;
type Operator = OperatorFunction<AnyRecord, AnyRecord>;

/** Looks up the row of a key in a table, materialised or not. */
export type Getter = (key: unknown) => ValueAndTimestamp<unknown> | null;

/** 128 bits that tell one version of a row from another; equal for one version, on whatever path it is looked at. */
export type RowVersion = (key: unknown, value: unknown) => Uint8Array;

/** What the steps below a table have made it keep; read when a task builds its graph. */
export interface TableState {
  /** Null: the table keeps no rows. */
  store: string | null;
  /** Changes carry the row that was there before. */
  sendsOldValues: boolean;
}

export const rowsOf = (task: TaskContext, store: string): TableRows => task.store(store) as TableRows; // tables are kept in timestamped stores
const rowsIf = (task: TaskContext, store: string | null): TableRows | null =>
  store === null ? null : rowsOf(task, store);

export const change = (newValue: unknown, oldValue: unknown): Change<unknown> => ({
  newValue,
  oldValue,
  isLatest: true,
});
export const changeOf = (record: AnyRecord): Change<unknown> => record.value as Change<unknown>; // tables send changes

/** `KTableSource`: the record is the new row; a null value deletes it. */
export function tableSource(task: TaskContext, name: string, state: TableState): Operator {
  const rows = rowsIf(task, state.store);
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const old = rows !== null && state.sendsOldValues ? rows.get(record.key) : null;
    rows?.put(record.key, record.value === null ? null : { value: record.value, timestamp: record.timestamp });
    emit(withValue(record, change(record.value, old?.value ?? null)));
  });
}

/** Passes a computed change on and keeps its new row, where the table has a store; then the old value is the row that was there. */
function keeper(
  task: TaskContext,
  state: TableState,
): (record: AnyRecord, change: Change<unknown>, emit: Emit) => void {
  const rows = rowsIf(task, state.store);
  if (rows === null) return (record, computed, emit) => emit(withValue(record, computed));
  return (record, { newValue }, emit) => {
    const old = state.sendsOldValues ? rows.get(record.key) : null;
    rows.put(record.key, newValue === null ? null : { value: newValue, timestamp: record.timestamp });
    emit(withValue(record, change(newValue, old?.value ?? null)));
  };
}

/** `KTableMapValues` (a mapper never sees null) and `KTableTransformValues` (it does). */
export function tableMapValues(
  task: TaskContext,
  name: string,
  state: TableState,
  map: (value: unknown, key: unknown) => unknown,
): Operator {
  const keep = keeper(task, state);
  return operator(task, name, (record, emit) => {
    const { newValue, oldValue } = changeOf(record);
    keep(record, change(map(newValue, record.key), state.sendsOldValues ? map(oldValue, record.key) : null), emit);
  });
}

/**
 * `KTableFilter`: a row that fails the predicate is gone. Where old values are known, what was not there before and is not there now is
 * not told; where they are not, every failing row is a tombstone.
 */
export function tableFilter(
  task: TaskContext,
  name: string,
  state: TableState,
  test: (key: unknown, value: unknown) => boolean,
): Operator {
  const rows = rowsIf(task, state.store);
  const keep = keeper(task, state);
  return operator(task, name, (record, emit) => {
    const { newValue, oldValue } = changeOf(record);
    const kept = (value: unknown) => (value !== null && test(record.key, value) ? value : null);
    const now = kept(newValue);
    let before: unknown = null;
    if (state.sendsOldValues) {
      before = rows === null ? kept(oldValue) : (rows.get(record.key)?.value ?? null);
      if (now === null && before === null) return;
    }
    keep(record, change(now, before), emit);
  });
}

export interface Side {
  readonly isLeft: boolean;
  readonly type: 'inner' | 'left' | 'outer';
  readonly join: (key: unknown, left: unknown, right: unknown) => unknown;
}

/** `KTableKTable{Inner,Left,Right,Outer}Join`: a change of one side meets the other side's row as it is now. */
export function tableTableJoin(
  task: TaskContext,
  name: string,
  state: TableState,
  other: Getter,
  side: Side,
): Operator {
  const { isLeft, type } = side;
  const join = (key: unknown, own: unknown, theirs: unknown) =>
    isLeft ? side.join(key, own, theirs) : side.join(key, theirs, own);
  /** The result exists only with the other side's row. */
  const needsOther = type === 'inner' || (type === 'left' && !isLeft);
  /** The result exists only with the own side's value. */
  const needsOwn = type === 'inner' || (type === 'left' && isLeft);
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const { newValue, oldValue } = changeOf(record);
    const row = other(record.key);
    if (row === null && (needsOther || (newValue === null && oldValue === null))) return;
    const joined = (own: unknown) => {
      if (own === null && (needsOwn || row === null)) return null;
      return join(record.key, own, row?.value ?? null);
    };
    const value = change(joined(newValue), state.sendsOldValues ? joined(oldValue) : null);
    emit({
      key: record.key,
      value,
      timestamp: Math.max(record.timestamp, row?.timestamp ?? -1),
      headers: record.headers,
    });
  });
}

/** `KTableKTableJoinMerger`: both sides of a join become one table, kept if it has a store. */
export function tableJoinMerge(task: TaskContext, name: string, state: TableState): Operator {
  const rows = rowsIf(task, state.store);
  return operator(task, name, (record, emit) => {
    const { newValue, oldValue } = changeOf(record);
    rows?.put(record.key, newValue === null ? null : { value: newValue, timestamp: record.timestamp });
    emit(withValue(record, change(newValue, state.sendsOldValues ? oldValue : null)));
  });
}
