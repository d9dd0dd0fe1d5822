import type { OperatorFunction } from 'rxjs';
import { type JoinWindows, reachOf } from '../../dsl/windows.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { JoinWindowStore } from '../../state/join-window-store.ts';
import type { LeftOut } from '../../state/left-out.ts';
import type { WaitingRoom } from '../../state/waiting-room.ts';
import type { AnyRecord } from '../record.ts';
import { type Emit, operator } from './operator.ts';

export interface StreamJoin {
  /** Stores of the two sides' records. */
  readonly left: string;
  readonly right: string;
  /** Holds what has met nobody; null for an inner join. */
  readonly waiting: string | null;
  /** Of each side that is read again from its input: what is left out then. */
  readonly leftOut: { readonly left: string | null; readonly right: string | null };
  readonly type: 'inner' | 'left' | 'outer';
  readonly windows: JoinWindows;
  /**
   * `kafka-streams`: as the original answers, which joins late records for as long as it remembers a partner, and may have told before that
   * there was none. `strict`: what comes after its window and grace is dropped and counted, and what was told as unmatched is never joined.
   */
  readonly semantics: 'strict' | 'kafka-streams';
  // biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the joiner
  readonly joiner: (left: any, right: any, key: any) => unknown;
}

/** Time as the join has seen it, on both sides together. */
class JoinTime {
  /** In strict semantics it is what the stores say: neither a crash nor a record that fails may move it. */
  newest: number;
  /** No waiting entry is older. */
  oldestWaiting = Number.POSITIVE_INFINITY;
  #failures = 0;

  constructor(newest: number, waiting: WaitingRoom | null) {
    this.newest = newest;
    this.#look(waiting);
  }

  /** What a failed record told as unmatched waits again. */
  lookAgainAfter(failures: number, waiting: WaitingRoom | null): void {
    if (failures === this.#failures) return;
    this.#failures = failures;
    this.#look(waiting);
  }

  #look(waiting: WaitingRoom | null): void {
    for (const entry of waiting?.entries() ?? []) {
      this.oldestWaiting = entry.timestamp;
      break;
    }
  }
}

/** Both nodes of one join: they share its time within a task. */
export function streamStreamJoin(
  join: StreamJoin,
): (task: TaskContext, name: string, isLeft: boolean) => OperatorFunction<AnyRecord, AnyRecord> {
  const times = new WeakMap<TaskContext, JoinTime>();
  return (task, name, isLeft) => {
    // The left node is made first, and anew with each start of the task.
    if (isLeft) times.set(task, new JoinTime(task.streamTime, roomOf(task, join)));
    return joinSide(join, task, name, isLeft, times.get(task) ?? new JoinTime(task.streamTime, null));
  };
}

type Windows = JoinWindowStore<unknown, unknown>;

const windowsOf = (task: TaskContext, store: string): Windows => task.store(store) as Windows; // made by the builder of the join
const roomOf = (task: TaskContext, { waiting }: StreamJoin): WaitingRoom | null =>
  waiting === null ? null : (task.store(waiting) as WaitingRoom); // likewise

/** `KStreamKStreamJoin`: the record is kept, then meets what the other side kept within the window. */
function joinSide(
  join: StreamJoin,
  task: TaskContext,
  name: string,
  isLeft: boolean,
  time: JoinTime,
): OperatorFunction<AnyRecord, AnyRecord> {
  const { type, joiner } = join;
  const { beforeMs, afterMs, graceMs } = join.windows;
  const strict = join.semantics === 'strict';
  const reachMs = reachOf(join.windows);
  const own = windowsOf(task, isLeft ? join.left : join.right);
  const others = windowsOf(task, isLeft ? join.right : join.left);
  const room = roomOf(task, join);
  const leftOutName = isLeft ? join.leftOut.left : join.leftOut.right;
  const leftOut = leftOutName === null ? null : (task.store(leftOutName) as LeftOut); // made by the builder of the join
  const before = isLeft ? beforeMs : afterMs;
  const after = isLeft ? afterMs : beforeMs;
  /** How long a record may be met: where all partners are older than it, by those that come late. */
  const openMs = (isLeft: boolean) =>
    (strict ? Math.max(0, isLeft ? afterMs : beforeMs) : isLeft ? afterMs : beforeMs) + graceMs;
  const ownOpenMs = openMs(isLeft);
  const leastOpenMs = strict ? Math.min(openMs(true), openMs(false)) : ownOpenMs;
  const preserved = type === 'outer' || (type === 'left' && isLeft);
  const value = (record: AnyRecord, other: unknown) =>
    isLeft ? joiner(record.value, other, record.key) : joiner(other, record.value, record.key);

  return operator(task, name, (record, emit) => {
    const { key, timestamp } = record;
    time.lookAgainAfter(task.failures, room);
    if (!strict && timestamp > time.newest) time.newest = timestamp;
    if (key === null || record.value === null) {
      leftOut?.addTime(isLeft, timestamp, own.newest);
      if (key === null && record.value !== null && preserved) emit({ ...record, value: value(record, null) });
      else task.dropped(name, key === null ? 'null-key' : 'null-value');
      return;
    }
    if (strict) time.newest = Math.max(timestamp, own.newest, others.newest);
    if (strict && timestamp + ownOpenMs < time.newest) {
      task.dropped(name, 'late');
      if (leftOut !== null && task.metadata !== null)
        leftOut.add(isLeft, task.metadata.offset, timestamp, time.newest - reachMs);
      return;
    }
    own.put(key, record.value, timestamp);
    if (room !== null && timestamp === time.newest && time.oldestWaiting + leastOpenMs < time.newest) {
      tellUnmatched(room, emit);
    }
    let met = false;
    const to = strict ? timestamp + after : Math.max(0, timestamp + after); // the original takes what is before the epoch for its first millisecond
    for (const other of others.fetch(key, Math.max(0, timestamp - before), to)) {
      met = true;
      room?.remove(other.timestamp, !isLeft, key);
      const later = Math.max(timestamp, other.timestamp);
      emit({ key, value: value(record, other.value), timestamp: later, headers: record.headers });
    }
    if (met || !preserved || room === null) return;
    if (!strict && timestamp + after < time.newest) emit({ ...record, value: value(record, null) });
    else {
      room.add(timestamp, isLeft, key, record.value);
      if (timestamp < time.oldestWaiting) time.oldestWaiting = timestamp;
    }
  });

  /** Sends on what nobody can meet any more, in order of time, and stops where both sides' windows are still open. */
  function tellUnmatched(waiting: WaitingRoom, emit: Emit): void {
    const open = { left: false, right: false };
    let oldest = Number.POSITIVE_INFINITY;
    for (const entry of waiting.entries()) {
      // The original takes the last entry that it looked at, though that one may not wait any more.
      if (!strict) oldest = entry.timestamp;
      if (open.left && open.right) break;
      if (entry.timestamp + openMs(entry.isLeft) >= time.newest) {
        if (strict && entry.timestamp < oldest) oldest = entry.timestamp;
        if (entry.isLeft) open.left = true;
        else open.right = true;
        continue;
      }
      entry.remove();
      if (strict) windowsOf(task, entry.isLeft ? join.left : join.right).remove(entry.key, entry.timestamp);
      const unmatched = entry.isLeft ? joiner(entry.value, null, entry.key) : joiner(null, entry.value, entry.key);
      emit({ key: entry.key, value: unmatched, timestamp: entry.timestamp, headers: [] });
    }
    time.oldestWaiting = oldest;
  }
}
