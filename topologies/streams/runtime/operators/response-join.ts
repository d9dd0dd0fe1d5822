import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { AnyRecord } from '../record.ts';
import { operator } from './operator.ts';
import type { SubscriptionResponse } from './subscription.ts';
import type { RowVersion } from './table.ts';
import { type Getter, tableRowsOf } from './table-rows.ts';

export interface ResponseJoin {
  readonly leftJoin: boolean;
  readonly joiner: (left: unknown, right: unknown, key: unknown) => unknown;
  /**
   * `kafka-streams`: a change of the right row gives the result its own time, so that time may go back. `strict`: the result is as new as
   * the newer one of both rows, as in every other join of tables.
   */
  readonly semantics: 'strict' | 'kafka-streams';
  /** The store of the result, for those that do not delete what is not there. */
  readonly result: string | null;
}

/** `ResponseJoinProcessorSupplier`: an answer to an earlier version of the left row is dropped; a newer request is on its way. */
export function responseJoin(
  task: TaskContext,
  name: string,
  left: Getter,
  versionOf: RowVersion,
  join: ResponseJoin,
): OperatorFunction<AnyRecord, AnyRecord> {
  const strict = join.semantics === 'strict';
  const results = join.result !== null ? tableRowsOf(task, join.result) : null;
  return operator(task, name, (record, emit) => {
    const { hash, value: right } = record.value as SubscriptionResponse<unknown>; // its source reads nothing else
    const row = left(record.key);
    const current = row === null ? null : versionOf(record.key, row.value);
    if (hash === null || current === null ? hash !== current : Buffer.compare(hash, current) !== 0) {
      task.dropped(name, 'stale');
      return;
    }
    const there = row !== null && (right !== null || join.leftJoin);
    const value = there ? join.joiner(row.value, right, record.key) : null;
    if (value === null && results !== null && results.get(record.key) === null) return;
    const timestamp = strict ? Math.max(record.timestamp, row?.timestamp ?? -1) : record.timestamp;
    emit({ key: record.key, value, timestamp, headers: record.headers });
  });
}
