import type { OperatorFunction } from 'rxjs';
import type { Windowed } from '../../dsl/windowed.ts';
import { BufferFullError } from '../../errors.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { BufferTotals, HeldUpdate, SuppressBuffer } from '../../state/suppress-buffer.ts';
import type { AnyRecord } from '../record.ts';
import { type Emit, operator } from './operator.ts';
import { change } from './table.ts';

export interface SuppressRules {
  readonly store: string;
  /** An entry's time is its window's end, and what a window lost before it closed is not told; else it is the time of its first update. */
  readonly windowClose: boolean;
  /** An entry goes when stream time is so far behind its time. */
  readonly limitMs: number;
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** What a full buffer does; otherwise the task fails. */
  readonly emitEarly: boolean;
  /**
   * `kafka-streams`: an update that goes names as old value what its last update replaced, which those below were never told. `strict`: what
   * they were told last, so that aggregations below take out what they have put in.
   */
  readonly semantics: 'strict' | 'kafka-streams';
}

/** `KTableSuppressProcessor`: what reaches it moves its time; then goes what has waited long enough, and what there is no room for. */
export function suppress(
  task: TaskContext,
  name: string,
  rules: SuppressRules,
): OperatorFunction<AnyRecord, AnyRecord> {
  const { limitMs, windowClose } = rules;
  const buffer = task.store(rules.store) as SuppressBuffer; // made by the builder of this step
  const isOver = ({ records, bytes }: BufferTotals) => records > rules.maxRecords || bytes > rules.maxBytes;
  /** No entry's time is before it. From 0 on after a start, which may bring a shorter limit, and after a failed record, whose entries are back. */
  let earliest = 0;
  let failures = 0;

  return operator(task, name, (record, emit) => {
    const time = windowClose ? (record.key as Windowed<unknown>).window.endMs : record.timestamp; // the DSL has seen that there are windows
    earliest = failures === task.failures ? Math.min(earliest, time) : 0;
    failures = task.failures;
    buffer.put(time, record, task.metadata);
    const due = buffer.totals.streamTime - limitMs;
    if (due >= earliest) {
      for (const held of buffer.entries(earliest, due)) if (!send(held, emit)) return;
      earliest = due + 1;
    }
    if (!isOver(buffer.totals)) return;
    if (!rules.emitEarly) throw new BufferFullError(fullMessage(name, buffer.totals, rules));
    for (let held = buffer.first(earliest); held !== null && isOver(buffer.totals); held = buffer.first(earliest)) {
      earliest = held.time;
      if (!send(held, emit)) return;
    }
  });

  /** @returns false when a node below has failed */
  function send(held: HeldUpdate, emit: Emit): boolean {
    held.remove();
    const { key, newValue, timestamp, headers } = held;
    if (newValue === null && windowClose) return true;
    const old = rules.semantics === 'strict' ? held.priorValue : held.oldValue;
    task.resume(held, () => emit({ key, value: change(newValue, old), timestamp, headers }));
    return !task.failed;
  }
}

const fullMessage = (name: string, { records, bytes }: BufferTotals, { maxRecords, maxBytes }: SuppressRules): string =>
  `${name} holds back ${records} updates of ${bytes} bytes and may ${maxRecords} of ${maxBytes}; nothing was sent early. ` +
  'Raise maxRecords or maxBytes, or shorten what it waits for.';
