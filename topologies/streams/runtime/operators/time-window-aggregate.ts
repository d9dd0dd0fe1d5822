import type { OperatorFunction } from 'rxjs';
import type { TimeWindows } from '../../dsl/windows.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { AnyRecord } from '../record.ts';
import { operator } from './operator.ts';
import { AggregationTime, dropsNull, type WindowAggregation, WindowUpdates } from './window-aggregation.ts';

/**
 * `KStreamWindowAggregate`: a record is folded into each of its tumbling or hopping windows that is still open, the earliest first. One
 * that finds any of them closed is told as late, once.
 */
export function timeWindowAggregate(
  task: TaskContext,
  name: string,
  aggregation: WindowAggregation,
  windows: TimeWindows,
): OperatorFunction<AnyRecord, AnyRecord> {
  const updates = new WindowUpdates(task, aggregation, windows.sizeMs);
  const { rows } = updates;
  const time = new AggregationTime(rows.times, aggregation);
  return operator(task, name, (record, emit) => {
    if (dropsNull(task, name, record, aggregation.semantics === 'strict')) return;
    rows.sweep();
    const closeMs = time.advance(record.timestamp) - windows.graceMs;
    let late = false;
    for (const startMs of windows.startsOf(record.timestamp)) {
      if (startMs + windows.sizeMs <= closeMs) late = true;
      else updates.add(record, startMs, rows.fetch(record.key, startMs), emit);
    }
    if (late) task.dropped(name, 'late');
    if (aggregation.emitStrategy !== 'onWindowClose') return;
    const before = time.close(closeMs);
    if (before !== null) updates.tellClosed(before + 1 - windows.sizeMs, closeMs - windows.sizeMs, emit);
  });
}
