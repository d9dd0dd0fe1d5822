import type { OperatorFunction } from 'rxjs';
import type { TaskContext } from '../../plan/node.ts';
import type { JoinBuffer } from '../../state/join-buffer.ts';
import type { AnyRecord } from '../record.ts';
import { type Emit, operator } from './operator.ts';
import type { Joiner } from './stream-table-join.ts';
import type { Getter } from './table-rows.ts';

export interface GraceJoin {
  /** What waits. */
  readonly store: string;
  readonly graceMs: number;
  readonly joiner: Joiner;
  /** A record without a row goes on with null. */
  readonly left: boolean;
}

/**
 * `KStreamKTableJoinProcessor` with a grace period (KIP-923): a record waits until a later one of its stream is `graceMs` newer, so that rows
 * that come late are seen, and is then joined with the row of its own time; those that wait go by time. One that is itself later than that is
 * joined at once, and so is one without a key, which no row is waited for (the original fails there).
 */
export function streamTableGraceJoin(
  task: TaskContext,
  name: string,
  get: Getter,
  { store, graceMs, joiner, left }: GraceJoin,
): OperatorFunction<AnyRecord, AnyRecord> {
  const buffer = task.store(store) as JoinBuffer; // made by the builder of this join
  /** The failures at which everything was looked at: a start may bring a shorter grace, and a failed record gives back what it sent. */
  let lookedAt = -1;

  return operator(task, name, (record, emit) => {
    if (record.value === null || (record.key === null && !left)) {
      task.dropped(name, record.key === null && !left ? 'null-key' : 'null-value');
      return;
    }
    const closed = buffer.streamTime - graceMs;
    if (record.key === null || record.timestamp < closed) {
      joined(record, emit);
      return;
    }
    buffer.add(record, task.metadata);
    const from = lookedAt === task.failures ? Math.max(0, closed) : 0;
    lookedAt = task.failures;
    for (const held of buffer.take(from, buffer.streamTime - graceMs)) {
      task.resume(held, () => joined(held, emit));
      if (task.failed) return;
    }
  });

  function joined({ key, value, timestamp, headers }: AnyRecord, emit: Emit): void {
    const row = key === null ? null : get(key, timestamp);
    if (row === null && !left) return;
    emit({ key, value: joiner(value, row?.value ?? null, key), timestamp, headers });
  }
}
