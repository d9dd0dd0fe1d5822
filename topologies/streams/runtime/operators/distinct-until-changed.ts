import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import { changelogTopicOf } from '../../plan/topology.ts';
import type { Serde } from '../../serde.ts';
import type { KeyValueStore } from '../../state/state-store.ts';
import type { AnyRecord } from '../record.ts';
import { operator } from './operator.ts';
import type { Remembered } from './remembered-serde.ts';

// biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the comparator
type Comparator = (previous: any, current: any) => boolean;

/**
 * RxJS's `distinctUntilChanged`, per key: leaves out a record whose value is that of the last one that went on. Without a comparator values
 * are equal if their bytes are: what comes out of a store is never the same object.
 */
export function distinctUntilChangedOperator(
  task: TaskContext,
  name: string,
  store: string,
  valueSerde: Serde<unknown>,
  comparator: Comparator | null,
): OperatorFunction<AnyRecord, AnyRecord> {
  const rows = task.store(store) as KeyValueStore<unknown, Remembered>; // made by the builder of this node
  const topic = changelogTopicOf(task.applicationId, store);
  const same =
    comparator ??
    ((a, b) =>
      a === null || b === null
        ? a === b
        : // Both are written now: bytes that an older schema wrote would differ from equal ones of today.
          Buffer.compare(valueSerde.serialize(topic, a), valueSerde.serialize(topic, b)) === 0);
  return operator(task, name, (record, emit) => {
    if (record.key === null) {
      task.dropped(name, 'null-key');
      return;
    }
    const last = rows.get(record.key);
    if (last !== null && same(last.value, record.value)) return;
    rows.put(record.key, { value: record.value });
    emit(record);
  });
}
