import type { OperatorFunction } from 'rxjs';
import type { Windowed } from '../../dsl/windowed.ts';
import type { SessionWindows } from '../../dsl/windows.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { AggregateSessionStore } from '../../state/session-store.ts';
import type { AnyRecord } from '../record.ts';
import type { Fold } from './aggregate.ts';
import { type Emit, operator } from './operator.ts';
import { change } from './table.ts';
import { AggregationTime, dropsNull, type WindowAggregation } from './window-aggregation.ts';

export interface SessionFold extends Fold {
  // biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the author's functions
  readonly merge: (key: any, one: any, other: any) => unknown;
}

export interface SessionAggregation extends WindowAggregation {
  readonly fold: SessionFold;
}

/** `KStreamSessionWindowAggregate`: a record and the sessions within the gap become one session; each that it takes the place of gets a tombstone. */
export function sessionWindowAggregate(
  task: TaskContext,
  name: string,
  aggregation: SessionAggregation,
  windows: SessionWindows,
): OperatorFunction<AnyRecord, AnyRecord> {
  const { state, fold } = aggregation;
  const { inactivityGapMs: gapMs, graceMs } = windows;
  const strict = aggregation.semantics === 'strict';
  const sessions = task.store(state.store) as AggregateSessionStore; // the DSL has made it for this node
  const time = new AggregationTime(sessions.times, aggregation);

  const update = (record: AnyRecord, session: Windowed<unknown>, value: unknown, old: unknown, emit: Emit) => {
    if (aggregation.emitStrategy !== 'onWindowUpdate') return;
    const told = change(value, state.sendsOldValues ? old : null);
    emit({ key: session, value: told, timestamp: session.window.endMs, headers: record.headers });
  };

  const tellClosed = (fromMs: number, toMs: number, emit: Emit) => {
    const closed = strict ? sessions.findClosedWithForgotten(fromMs, toMs) : sessions.findClosed(fromMs, toMs);
    for (const [key, value] of [...closed])
      emit({ key, value: change(value, null), timestamp: key.window.endMs, headers: [] });
  };

  return operator(task, name, (record, emit) => {
    if (dropsNull(task, name, record, strict)) return;
    const { key, timestamp } = record;
    sessions.sweep();
    const closeMs = time.advance(timestamp) - graceMs - gapMs;
    // What has closed is final, however long it is kept; the original would open it again.
    const earliestEndMs = strict ? Math.max(timestamp - gapMs, closeMs) : timestamp - gapMs;
    const found = [...sessions.findSessions(key, earliestEndMs, timestamp + gapMs)];
    let value = fold.initial();
    let [startMs, endMs] = [timestamp, timestamp];
    for (const [{ window }, aggregate] of found) {
      value = fold.merge(key, value, aggregate);
      startMs = Math.min(startMs, window.startMs);
      endMs = Math.max(endMs, window.endMs);
    }
    if (endMs < closeMs) task.dropped(name, 'late');
    else {
      const isPoint = startMs === endMs;
      if (!isPoint) {
        for (const [session, aggregate] of found) {
          sessions.remove(session);
          update(record, session, null, aggregate, emit);
        }
      }
      const session = { key, window: { startMs, endMs } };
      const added = fold.add(key, record.value, value);
      sessions.put(session, added);
      // The original does not tell what was there before in a session of one moment.
      update(record, session, added, strict && isPoint ? (found[0]?.[1] ?? null) : null, emit);
    }
    if (aggregation.emitStrategy !== 'onWindowClose') return;
    const before = time.close(closeMs);
    if (before !== null) tellClosed(before, closeMs - 1, emit);
  });
}
