import type { OperatorFunction } from 'rxjs';
import type { SlidingWindows } from '../../dsl/windows.ts';
import type { TaskContext } from '../../plan/node.ts';
import type { ValueAndTimestamp } from '../../state/state-store.ts';
import type { AnyRecord } from '../record.ts';
import { type Emit, operator } from './operator.ts';
import { AggregationTime, dropsNull, type WindowAggregation, WindowUpdates } from './window-aggregation.ts';

type Row = ValueAndTimestamp<unknown>;

/**
 * `KStreamSlidingWindowAggregate`: a record enters the windows around it and makes those that begin or end with it or its neighbours. One that
 * finds any of its windows closed is told as late, once.
 */
export function slidingWindowAggregate(
  task: TaskContext,
  name: string,
  aggregation: WindowAggregation,
  windows: SlidingWindows,
): OperatorFunction<AnyRecord, AnyRecord> {
  const { timeDifferenceMs: differenceMs, graceMs } = windows;
  const updates = new WindowUpdates(task, aggregation, differenceMs);
  const { rows } = updates;
  const time = new AggregationTime(rows.times, aggregation);
  return operator(task, name, (record, emit) => {
    if (dropsNull(task, name, record, true)) return;
    rows.sweep();
    const closeMs = time.advance(record.timestamp) - graceMs;
    if (record.timestamp + differenceMs < closeMs) {
      task.dropped(name, 'late');
      return;
    }
    const entry = new Entry(updates, windows, aggregation, record, closeMs, emit);
    const isEarly = record.timestamp < differenceMs;
    if (isEarly) entry.enterEarly();
    else entry.enter();
    if (entry.late) task.dropped(name, 'late');
    // Nothing can have closed yet.
    if (isEarly) return;
    if (aggregation.emitStrategy !== 'onWindowClose') return;
    const before = time.close(closeMs);
    if (before !== null) updates.tellClosed(before - differenceMs, closeMs - 1 - differenceMs, emit);
  });
}

/** One record on its way through the windows of its key. */
class Entry {
  readonly #updates: WindowUpdates;
  readonly #differenceMs: number;
  readonly #aggregation: WindowAggregation;
  readonly #record: AnyRecord;
  readonly #closeMs: number;
  readonly #emit: Emit;
  /** Starts of the windows that were there. */
  readonly #starts = new Set<number>();
  /** What the window right after this record will hold: all of it lies after the record. */
  #rightSource: Row | null = null;
  /** Time of the nearest record before this one, as far as windows tell. */
  #previousMs: number | null = null;
  /** Whether a window that it belongs to has closed. */
  late = false;

  constructor(
    updates: WindowUpdates,
    windows: SlidingWindows,
    aggregation: WindowAggregation,
    record: AnyRecord,
    closeMs: number,
    emit: Emit,
  ) {
    this.#updates = updates;
    this.#differenceMs = windows.timeDifferenceMs;
    this.#aggregation = aggregation;
    this.#record = record;
    this.#closeMs = closeMs;
    this.#emit = emit;
  }

  enter(): void {
    const { key, timestamp } = this.#record;
    const differenceMs = this.#differenceMs;
    let leftSource: Row | null = null;
    let leftIsThere = false;
    const around = this.#updates.rows.backwardFetch(key, Math.max(0, timestamp - 2 * differenceMs), timestamp + 1);
    for (const [startMs, row] of [...around]) {
      this.#starts.add(startMs);
      if (startMs === timestamp + 1) continue;
      const endMs = startMs + differenceMs;
      if (endMs < timestamp) {
        leftSource = row;
        this.#previousMs = row.timestamp;
        break;
      }
      if (endMs > timestamp) this.#rightSource ??= row;
      else leftIsThere = true;
      this.#add(startMs, row);
      if (endMs > timestamp) continue;
      // Another record of this time has made all windows already.
      if (row.timestamp >= timestamp) return;
      this.#previousMs = row.timestamp;
    }
    this.#makeAfterPrevious();
    if (!leftIsThere) {
      const heldBefore = this.#previousMs !== null && timestamp - differenceMs <= this.#previousMs ? leftSource : null;
      this.#makeFrom(timestamp - differenceMs, heldBefore);
    }
    this.#makeRight();
  }

  /** Windows that would begin before the epoch are one, which begins with it. */
  enterEarly(): void {
    const { key, timestamp } = this.#record;
    let combined: Row | null = null;
    for (const [startMs, row] of [...this.#updates.rows.fetch(key, 0, timestamp + 1)]) {
      this.#starts.add(startMs);
      if (startMs === 0) {
        combined = row;
        if (row.timestamp < timestamp) this.#previousMs = row.timestamp;
      } else if (startMs <= timestamp) {
        this.#rightSource = row;
        this.#add(startMs, row);
      }
    }
    if (this.#rightSource === null && combined !== null && combined.timestamp > timestamp) this.#rightSource = combined;
    this.#makeRight();
    this.#makeAfterPrevious();
    this.#add(0, combined);
  }

  /** The window that begins right after the record before this one, if this record is in it. */
  #makeAfterPrevious(): void {
    if (this.#previousMs === null) return;
    const startMs = this.#previousMs + 1;
    const endMs = startMs + this.#differenceMs;
    const { timestamp } = this.#record;
    if (this.#starts.has(startMs) || endMs < timestamp) return;
    // The one that ends with this record is made anyway; the original makes and tells it twice.
    if (endMs > timestamp || this.#aggregation.semantics === 'kafka-streams') this.#add(startMs, null);
  }

  /** The window that begins right after this record, if a record is in it. It is written also when it has closed. */
  #makeRight(): void {
    const { timestamp } = this.#record;
    const source = this.#rightSource;
    if (source === null || source.timestamp <= timestamp || this.#starts.has(timestamp + 1)) return;
    this.#updates.put(this.#record, timestamp + 1, source, this.#emit, { timestamp: source.timestamp, old: null });
  }

  /** A window that is new and holds what another one held. */
  #makeFrom(startMs: number, source: Row | null): void {
    if (source === null || this.#aggregation.semantics === 'kafka-streams') this.#add(startMs, source);
    else this.#add(startMs, source, this.#aggregation.fold.initial());
  }

  #add(startMs: number, row: Row | null, old?: unknown): void {
    if (startMs + this.#differenceMs < this.#closeMs) this.late = true;
    else this.#updates.add(this.#record, startMs, row, this.#emit, old);
  }
}
