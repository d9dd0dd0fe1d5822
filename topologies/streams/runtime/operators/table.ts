import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { TimestampedKeyValueStore, ValueAndTimestamp } from '../../state/state-store.ts';
import { type AnyRecord, type Change, withValue } from '../record.ts';
import { operator } from './operator.ts';

type Rows = TimestampedKeyValueStore<unknown, unknown>;
type Operator = OperatorFunction<AnyRecord, AnyRecord>;

/** Looks up the row of a key in a table, materialised or not. */
export type Getter = (key: unknown) => ValueAndTimestamp<unknown> | null;

const rowsOf = (task: TaskContext, store: string): Rows => task.store(store) as Rows; // tables are kept in timestamped stores

const change = (newValue: unknown, oldValue: unknown): Change<unknown> => ({ newValue, oldValue, isLatest: true });

/** KTableSource: the record is the new row; a null value deletes it. */
export function tableSource(task: TaskContext, name: string, store: string): Operator {
  const rows = rowsOf(task, store);
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const old = rows.get(record.key);
    rows.put(record.key, record.value === null ? null : { value: record.value, timestamp: record.timestamp });
    emit(withValue(record, change(record.value, old?.value ?? null)));
  });
}

export const tableFromStream = tableSource;

/** KStreamAggregate: the row's time is the newest of its records. */
export function streamAggregate(
  task: TaskContext,
  name: string,
  store: string,
  initializer: () => unknown,
  aggregator: (key: unknown, value: unknown, aggregate: unknown) => unknown,
): Operator {
  const rows = rowsOf(task, store);
  return operator(task, name, (record, emit) => {
    if (record.key === null || record.value === null) {
      task.dropped(name, record.key === null ? 'null-key' : 'null-value');
      return;
    }
    const old = rows.get(record.key);
    const value = aggregator(record.key, record.value, old === null ? initializer() : old.value);
    const timestamp = Math.max(record.timestamp, old?.timestamp ?? -1);
    rows.put(record.key, value === null ? null : { value, timestamp });
    emit({ key: record.key, value: change(value, old?.value ?? null), timestamp, headers: record.headers });
  });
}

export const tableMapValues = (
  task: TaskContext,
  name: string,
  map: (value: unknown, key: unknown) => unknown,
): Operator =>
  operator(task, name, (record, emit) => {
    const { newValue, oldValue } = record.value as Change<unknown>; // tables send changes
    const mapped = (value: unknown) => (value === null ? null : map(value, record.key));
    emit(withValue(record, change(mapped(newValue), mapped(oldValue))));
  });

/** A row that fails the predicate is gone; what was not there before and is not there now is not told. */
export const tableFilter = (
  task: TaskContext,
  name: string,
  test: (key: unknown, value: unknown) => boolean,
): Operator =>
  operator(task, name, (record, emit) => {
    const { newValue, oldValue } = record.value as Change<unknown>; // tables send changes
    const kept = (value: unknown) => (value !== null && test(record.key, value) ? value : null);
    const now = kept(newValue);
    const before = kept(oldValue);
    if (now !== null || before !== null) emit(withValue(record, change(now, before)));
  });

export interface Side {
  readonly isLeft: boolean;
  readonly type: 'inner' | 'left' | 'outer';
  readonly join: (left: unknown, right: unknown) => unknown;
}

/** KTableKTable*Join: a change of one side meets the other side's row as it is now. */
export const tableTableJoin = (task: TaskContext, name: string, other: Getter, side: Side): Operator => {
  const needsOther = side.type === 'inner' || (side.type === 'left' && !side.isLeft);
  const needsOwn = side.type === 'inner' || (side.type === 'left' && side.isLeft);
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const { newValue, oldValue } = record.value as Change<unknown>; // tables send changes
    const row = other(record.key);
    if (row === null && needsOther) return;
    const joined = (own: unknown) => {
      if (own === null && (needsOwn || row === null)) return null;
      const theirs = row?.value ?? null;
      return side.isLeft ? side.join(own, theirs) : side.join(theirs, own);
    };
    const now = joined(newValue);
    const before = joined(oldValue);
    if (now === null && before === null) return;
    const timestamp = Math.max(record.timestamp, row?.timestamp ?? -1);
    emit({ key: record.key, value: change(now, before), timestamp, headers: record.headers });
  });
};
