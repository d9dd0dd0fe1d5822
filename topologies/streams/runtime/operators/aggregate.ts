import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { AnyRecord } from '../record.ts';
import { operator } from './operator.ts';
import { change, changeOf, type TableState } from './table.ts';
import { tableRowsOf } from './table-rows.ts';

type Operator = OperatorFunction<AnyRecord, AnyRecord>;

/** An aggregation's table has a store from the start. */
export interface AggregateState extends TableState {
  readonly store: string;
}

/** Null from `initial` means that the first value is the first aggregate (`reduce`). */
export interface Fold {
  readonly initial: () => unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the author's functions
  readonly add: (key: any, value: any, aggregate: any) => unknown;
}

export interface TableFold extends Fold {
  // biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the author's functions
  readonly subtract: (key: any, value: any, aggregate: any) => unknown;
}

/** `KStreamAggregate`, `KStreamReduce`: the row's time is the newest of its records; the old value of a first update is the initial one. */
export function streamAggregate(task: TaskContext, name: string, state: AggregateState, fold: Fold): Operator {
  const rows = tableRowsOf(task, state.store);
  return operator(task, name, (record, emit) => {
    if (record.key === null || record.value === null) {
      task.dropped(name, record.key === null ? 'null-key' : 'null-value');
      return;
    }
    const row = rows.get(record.key);
    const old = row === null ? fold.initial() : row.value;
    const value = fold.add(record.key, record.value, old);
    const timestamp = row === null ? record.timestamp : Math.max(record.timestamp, row.timestamp);
    const put = rows.put(record.key, value, timestamp);
    if (put === 'expired') {
      task.dropped(name, 'late');
      return;
    }
    emit({
      key: record.key,
      value: change(value, state.sendsOldValues ? old : null, put === 'latest'),
      timestamp,
      headers: record.headers,
    });
  });
}

/** `KTableAggregate`, `KTableReduce`: what a row gave before is taken out of its group (if the group is there), then the new is added. */
export function tableAggregate(task: TaskContext, name: string, state: AggregateState, fold: TableFold): Operator {
  const rows = tableRowsOf(task, state.store);
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const { newValue, oldValue } = changeOf(record);
    const row = rows.get(record.key);
    let value: unknown = row?.value ?? null;
    if (oldValue !== null && value !== null) value = fold.subtract(record.key, oldValue, value);
    if (newValue !== null) value = fold.add(record.key, newValue, value === null ? fold.initial() : value);
    const timestamp = row === null ? record.timestamp : Math.max(record.timestamp, row.timestamp);
    const put = rows.put(record.key, value, timestamp);
    if (put === 'expired') {
      task.dropped(name, 'late');
      return;
    }
    const old = state.sendsOldValues ? (row?.value ?? null) : null;
    emit({ key: record.key, value: change(value, old, put === 'latest'), timestamp, headers: record.headers });
  });
}

/**
 * `KTableRepartitionMap`: what the old row gave and what the new one gives, each to its group; one record if the group is the same. Groups
 * hold the latest rows, so out-of-order ones of a versioned table give nothing.
 */
export function tableSelect(
  task: TaskContext,
  name: string,
  // biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the mapper
  mapper: (key: any, value: any) => readonly [unknown, unknown],
  sameKey: (a: unknown, b: unknown) => boolean,
): Operator {
  return operator(task, name, (record, emit) => {
    const { newValue, oldValue, isLatest } = changeOf(record);
    if (!isLatest) {
      task.dropped(name, 'out-of-order');
      return;
    }
    const pairOf = (value: unknown) => {
      const pair = value === null ? null : mapper(record.key, value);
      return pair === null || pair[0] === null || pair[1] === null ? null : pair;
    };
    const now = pairOf(newValue);
    const before = pairOf(oldValue);
    const send = (key: unknown, value: unknown, old: unknown) =>
      emit({ key, value: change(value, old), timestamp: record.timestamp, headers: record.headers });
    if (now !== null && before !== null && sameKey(now[0], before[0])) send(now[0], now[1], before[1]);
    else {
      if (before !== null) send(before[0], null, before[1]);
      if (now !== null) send(now[0], now[1], null);
    }
  });
}
