import type { EmitStrategy } from '../../dsl/windows.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { StoreTimes } from '../../state/aging-rows.ts';
import type { ValueAndTimestamp } from '../../state/state-store.ts';
import type { AggregateWindowStore } from '../../state/window-store.ts';
import type { AnyRecord } from '../record.ts';
import type { AggregateState, Fold } from './aggregate.ts';
import type { Emit } from './operator.ts';
import { change } from './table.ts';

/** What all windowed aggregations of streams have in common. */
export interface WindowAggregation {
  readonly state: AggregateState;
  readonly fold: Fold;
  readonly emitStrategy: EmitStrategy;
  /**
   * `kafka-streams`: as the original answers. Null values are aggregated (but not in sliding windows), each input of a cogroup judges
   * lateness alone, a session that has closed may be opened again, and closed windows are lost that the store has ceased to show.
   * `strict`: null values are dropped and counted, one time goes for all inputs, what has closed is final, and all of it is told.
   */
  readonly semantics: 'strict' | 'kafka-streams';
  /** Position among the inputs of a cogroup. */
  readonly input: number;
}

const emitted = 'emitted';

/** Record time as the aggregation has seen it. It stands in the store: a crash must not make late records welcome again. */
export class AggregationTime {
  readonly #times: StoreTimes;
  readonly #name: string;

  constructor(times: StoreTimes, { semantics, input }: WindowAggregation) {
    this.#times = times;
    this.#name = semantics === 'strict' ? 'seen' : `seen-${input}`;
  }

  /** @returns the newest time seen, this one included */
  advance(timestamp: number): number {
    const newest = this.#times.get(this.#name);
    if (timestamp <= newest) return newest;
    this.#times.set(this.#name, timestamp);
    return timestamp;
  }

  /** @returns up to which time windows were told as closed before; null when no more have closed since. -1: none were */
  close(closeMs: number): number | null {
    const before = this.#times.get(emitted);
    if (closeMs < 0 || closeMs <= before) return null;
    this.#times.set(emitted, closeMs);
    return before;
  }
}

/** Says why a record cannot be aggregated; true if so. */
export function dropsNull(task: TaskContext, name: string, record: AnyRecord, nullValues: boolean): boolean {
  if (record.key !== null && (record.value !== null || !nullValues)) return false;
  task.dropped(name, record.key === null ? 'null-key' : 'null-value');
  return true;
}

/** Windows of tumbling, hopping and sliding aggregations: `AbstractKStreamTimeWindowAggregateProcessor`. */
export class WindowUpdates {
  readonly rows: AggregateWindowStore;
  readonly #aggregation: WindowAggregation;
  readonly #sizeMs: number;

  constructor(task: TaskContext, aggregation: WindowAggregation, sizeMs: number) {
    this.rows = task.store(aggregation.state.store) as AggregateWindowStore; // the DSL has made it for this node
    this.#aggregation = aggregation;
    this.#sizeMs = sizeMs;
  }

  /**
   * Folds a record into a window that has this row. The window's time is the newest of its records.
   * @param old what goes on as the old value; the initial value for a new window
   */
  add(record: AnyRecord, startMs: number, row: ValueAndTimestamp<unknown> | null, emit: Emit, old?: unknown): void {
    const { fold } = this.#aggregation;
    const before = row === null ? fold.initial() : row.value;
    const value = fold.add(record.key, record.value, before);
    const timestamp = row === null ? record.timestamp : Math.max(record.timestamp, row.timestamp);
    this.put(record, startMs, value === null ? null : { value, timestamp }, emit, {
      timestamp,
      old: old === undefined ? before : old,
    });
  }

  put(
    record: AnyRecord,
    startMs: number,
    row: ValueAndTimestamp<unknown> | null,
    emit: Emit,
    { timestamp, old }: { readonly timestamp: number; readonly old: unknown },
  ): void {
    const { state, emitStrategy } = this.#aggregation;
    this.rows.put(record.key, row, startMs);
    if (emitStrategy !== 'onWindowUpdate') return;
    const window = { startMs, endMs: startMs + this.#sizeMs };
    const value = change(row?.value ?? null, state.sendsOldValues ? old : null);
    emit({ key: { key: record.key, window }, value, timestamp, headers: record.headers });
  }

  /** Tells each window that begins in this range, both ends inclusive. */
  tellClosed(fromMs: number, toMs: number, emit: Emit): void {
    const strict = this.#aggregation.semantics === 'strict';
    const closed = strict ? this.rows.fetchAllWithForgotten(fromMs, toMs) : this.rows.fetchAll(fromMs, toMs);
    for (const [key, { value, timestamp }] of [...closed])
      emit({ key, value: change(value, null), timestamp, headers: [] });
  }
}
