import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { ReadOnlyKeyValueStore } from '../../state/state-store.ts';
import { type AnyRecord, withValue } from '../record.ts';
import { operator } from './operator.ts';
import type { Getter } from './table-rows.ts';

// biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the joiner
export type Joiner = (left: any, right: any, key: any) => unknown;

/** `KStreamKTableJoin`: the row as it is now; of a versioned table the one that was valid at the record's time. */
export const streamTableJoin = (
  task: TaskContext,
  name: string,
  get: Getter,
  joiner: Joiner,
  left: boolean,
): OperatorFunction<AnyRecord, AnyRecord> =>
  operator(task, name, (record, emit) => {
    if (record.key === null && !left) {
      task.dropped(name, 'null-key');
      return;
    }
    if (record.value === null) {
      task.dropped(name, 'null-value');
      return;
    }
    const row = record.key === null ? null : get(record.key, record.timestamp);
    if (row === null && !left) return;
    emit(withValue(record, joiner(record.value, row?.value ?? null, record.key)));
  });

/** KStreamGlobalKTableJoin: the row of the key that the record names. */
export const streamGlobalTableJoin = (
  task: TaskContext,
  name: string,
  store: string,
  // biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the mapper
  keyOf: (key: any, value: any) => unknown,
  joiner: Joiner,
  left: boolean,
): OperatorFunction<AnyRecord, AnyRecord> => {
  const rows = task.store(store) as ReadOnlyKeyValueStore<unknown, unknown>; // made by the builder of this table
  return operator(task, name, (record, emit) => {
    if (record.value === null) {
      task.dropped(name, 'null-value');
      return;
    }
    const key = keyOf(record.key, record.value);
    if (key === null && !left) {
      task.dropped(name, 'null-key');
      return;
    }
    const row = key === null ? null : rows.get(key);
    if (row === null && !left) return;
    emit(withValue(record, joiner(record.value, row, record.key)));
  });
};
