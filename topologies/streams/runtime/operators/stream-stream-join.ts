import type { OperatorFunction } from 'rxjs';
import type { JoinWindows } from '../../dsl/windows.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { WindowStore } from '../../state/window-store.ts';
import type { AnyRecord } from '../record.ts';
import { operator } from './operator.ts';

export interface JoinSide {
  readonly own: string;
  readonly other: string;
  readonly windows: JoinWindows;
  readonly isLeft: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the joiner
  readonly joiner: (left: any, right: any, key: any) => unknown;
}

/** KStreamKStreamJoin, inner: the record is kept, then meets what the other side kept within the window. */
export function streamStreamJoin(
  task: TaskContext,
  name: string,
  side: JoinSide,
): OperatorFunction<AnyRecord, AnyRecord> {
  const own = task.store(side.own) as WindowStore<unknown, unknown>; // made by the builder of this join
  const others = task.store(side.other) as WindowStore<unknown, unknown>; // likewise
  const { beforeMs, afterMs, graceMs } = side.windows;
  const before = side.isLeft ? beforeMs : afterMs;
  const after = side.isLeft ? afterMs : beforeMs;
  return operator(task, name, (record, emit) => {
    if (record.key === null || record.value === null) {
      task.dropped(name, record.key === null ? 'null-key' : 'null-value');
      return;
    }
    if (record.timestamp + after + graceMs < task.streamTime) {
      task.dropped(name, 'late');
      return;
    }
    own.put(record.key, record.value, record.timestamp, task.streamTime);
    for (const other of others.fetch(record.key, Math.max(0, record.timestamp - before), record.timestamp + after)) {
      const value = side.isLeft
        ? side.joiner(record.value, other.value, record.key)
        : side.joiner(other.value, record.value, record.key);
      emit({ key: record.key, value, timestamp: Math.max(record.timestamp, other.timestamp), headers: record.headers });
    }
  });
}
