import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import { type AnyRecord, type Change, withValue } from '../record.ts';
import { type Emit, operator } from './operator.ts';
import { type Getter, tableRowsIf } from './table-rows.ts';

type Operator = OperatorFunction<AnyRecord, AnyRecord>;

/** 128 bits that tell one version of a row from another; equal for one version, on whatever path it is looked at. */
export type RowVersion = (key: unknown, value: unknown) => Uint8Array;

/** What the steps below a table have made it keep; read when a task builds its graph. */
export interface TableState {
  /** Null: the table keeps no rows. */
  store: string | null;
  /** Changes carry the row that was there before. */
  sendsOldValues: boolean;
}

/** @param isLatest false for an out-of-order row of a versioned table */
export const change = (newValue: unknown, oldValue: unknown, isLatest = true): Change<unknown> => ({
  newValue,
  oldValue,
  isLatest,
});
export const changeOf = (record: AnyRecord): Change<unknown> => record.value as Change<unknown>; // tables send changes

/** `KTableSource`: the record is the new row; a null value deletes it. What is older than a versioned table's history goes no further. */
export function tableSource(task: TaskContext, name: string, state: TableState): Operator {
  const rows = tableRowsIf(task, state.store);
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const old = rows !== null && state.sendsOldValues ? rows.get(record.key) : null;
    const put = rows?.put(record.key, record.value, record.timestamp) ?? 'latest';
    if (put === 'expired') task.dropped(name, 'late');
    else emit(withValue(record, change(record.value, old?.value ?? null, put === 'latest')));
  });
}

/** Passes a computed change on and keeps its new row, where the table has a store; then the old value is the row that was there. */
function keeper(
  task: TaskContext,
  name: string,
  state: TableState,
): (record: AnyRecord, change: Change<unknown>, emit: Emit) => void {
  const rows = tableRowsIf(task, state.store);
  if (rows === null) return (record, computed, emit) => emit(withValue(record, computed));
  return (record, { newValue }, emit) => {
    const old = state.sendsOldValues ? rows.get(record.key) : null;
    const put = rows.put(record.key, newValue, record.timestamp);
    if (put === 'expired') task.dropped(name, 'late');
    else emit(withValue(record, change(newValue, old?.value ?? null, put === 'latest')));
  };
}

/** `KTableMapValues` (a mapper never sees null) and `KTableTransformValues` (it does). */
export function tableMapValues(
  task: TaskContext,
  name: string,
  state: TableState,
  map: (value: unknown, key: unknown) => unknown,
): Operator {
  const keep = keeper(task, name, state);
  return operator(task, name, (record, emit) => {
    const { newValue, oldValue, isLatest } = changeOf(record);
    const before = state.sendsOldValues ? map(oldValue, record.key) : null;
    keep(record, change(map(newValue, record.key), before, isLatest), emit);
  });
}

/**
 * `KTableFilter`: a row that fails the predicate is gone. Where old values are known, what was not there before and is not there now is
 * not told; where they are not, every failing row is a tombstone, and so it is of a versioned table, whose latest row may be another one.
 */
export function tableFilter(
  task: TaskContext,
  name: string,
  state: TableState,
  test: (key: unknown, value: unknown) => boolean,
  ofVersioned: boolean,
): Operator {
  const rows = tableRowsIf(task, state.store);
  const keep = keeper(task, name, state);
  return operator(task, name, (record, emit) => {
    const { newValue, oldValue, isLatest } = changeOf(record);
    const kept = (value: unknown) => (value !== null && test(record.key, value) ? value : null);
    const now = kept(newValue);
    let before: unknown = null;
    if (state.sendsOldValues) {
      before = rows === null ? kept(oldValue) : (rows.get(record.key)?.value ?? null);
      if (!ofVersioned && now === null && before === null) return;
    }
    keep(record, change(now, before, isLatest), emit);
  });
}

export interface Side {
  readonly isLeft: boolean;
  readonly type: 'inner' | 'left' | 'outer';
  readonly join: (key: unknown, left: unknown, right: unknown) => unknown;
}

/** `KTableKTable{Inner,Left,Right,Outer}Join`: a change of one side meets the other side's row as it is now. Out-of-order rows change nothing (KIP-914). */
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
    const { newValue, oldValue, isLatest } = changeOf(record);
    if (!isLatest) {
      task.dropped(name, 'out-of-order');
      return;
    }
    const row = other(record.key);
    if (row === null && (needsOther || (newValue === null && oldValue === null))) return;
    const joined = (own: unknown) => {
      if (own === null && (needsOwn || row === null)) return null;
      return join(record.key, own, row?.value ?? null);
    };
    const value = change(joined(newValue), state.sendsOldValues ? joined(oldValue) : null, isLatest);
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
  const rows = tableRowsIf(task, state.store);
  return operator(task, name, (record, emit) => {
    const { newValue, oldValue, isLatest } = changeOf(record);
    const put = rows?.put(record.key, newValue, record.timestamp);
    if (put === 'expired') {
      task.dropped(name, 'late');
      return;
    }
    const stands = put === undefined ? isLatest : put === 'latest';
    emit(withValue(record, change(newValue, state.sendsOldValues ? oldValue : null, stands)));
  });
}
