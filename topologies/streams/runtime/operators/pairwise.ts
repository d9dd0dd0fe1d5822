import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { KeyValueStore } from '../../state/state-store.ts';
import { type AnyRecord, withValue } from '../record.ts';
import { operator } from './operator.ts';
import type { Remembered } from './remembered-serde.ts';

/** RxJS's `pairwise`, per key: from its second record on, each with the value before it. */
export function pairwiseOperator(
  task: TaskContext,
  name: string,
  store: string,
): OperatorFunction<AnyRecord, AnyRecord> {
  const rows = task.store(store) as KeyValueStore<unknown, Remembered>; // made by the builder of this node
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const last = rows.get(record.key);
    rows.put(record.key, { value: record.value });
    if (last !== null) emit(withValue(record, [last.value, record.value]));
  });
}
