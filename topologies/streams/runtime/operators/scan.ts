import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { KeyValueStore } from '../../state/state-store.ts';
import { type AnyRecord, withValue } from '../record.ts';
import { operator } from './operator.ts';

// biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the accumulator
type Accumulator = (accumulated: any, value: any, key: any) => unknown;

/** RxJS's `scan`, per key: what has been accumulated stands in the store. A null result deletes the row, and the key begins at the seed. */
export function scanOperator(
  task: TaskContext,
  name: string,
  store: string,
  accumulator: Accumulator,
  seed: unknown,
): OperatorFunction<AnyRecord, AnyRecord> {
  const rows = task.store(store) as KeyValueStore<unknown, unknown>; // made by the builder of this node
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const accumulated = accumulator(rows.get(record.key) ?? seed, record.value, record.key);
    rows.put(record.key, accumulated);
    emit(withValue(record, accumulated));
  });
}
