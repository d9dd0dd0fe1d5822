import type { StoreBuilder } from '../plan/node.ts';
import { bufferSpec } from './buffer-spec.ts';
import { bytesOfTime, readTime, type StoreHost, writeTime } from './key-value-store.ts';
import type { StateStore } from './state-store.ts';

/**
 * Records that a join did not keep though they stand in its input: late, unreadable, or failed and taken back. Windows that are read again from
 * the input leave them out. Rows are `time | side | offset`, so that those which no window reaches any more are the first.
 */
export interface LeftOut extends StateStore {
  /** @param horizon rows that are older are deleted */
  add(isLeft: boolean, offset: number, timestamp: number, horizon: number): void;
  /** It is kept now; what no window reaches any more is gone already. */
  remove(isLeft: boolean, offset: number, timestamp: number): void;
  /**
   * The input's time has come to `timestamp` with a record that was not kept.
   * @param newestKept of that side: the windows reach back from there, not from the input's time
   */
  addTime(isLeft: boolean, timestamp: number, newestKept: number): void;
  /** @param inputTime as it is committed. @returns where windows reach back from */
  timeKept(isLeft: boolean, inputTime: number): number;
  offsets(isLeft: boolean): ReadonlySet<number>;
}

export const leftOut = (name: string): StoreBuilder => ({
  spec: bufferSpec(name),
  open: (host) => new BytesLeftOut(name, host),
});

const present = Uint8Array.of(1);
const rowBytes = 17;

function rowOf(isLeft: boolean, offset: number, timestamp: number): Uint8Array {
  const row = new Uint8Array(rowBytes);
  writeTime(row, 0, timestamp);
  row[8] = isLeft ? 1 : 0;
  writeTime(row, 9, offset);
  return row;
}

/** Behind the rows of all times: `time of the input | time of the newest record kept`. */
const timeRow = (isLeft: boolean): Uint8Array => Uint8Array.of(0xff, isLeft ? 1 : 0);

class BytesLeftOut implements LeftOut {
  readonly name: string;
  readonly #host: StoreHost;

  constructor(name: string, host: StoreHost) {
    this.name = name;
    this.#host = host;
  }

  add(isLeft: boolean, offset: number, timestamp: number, horizon: number): void {
    const { overlay, now } = this.#host;
    if (horizon > 0) {
      for (const [row] of [...overlay.range(null, bytesOfTime(horizon))]) overlay.put(row, null, now());
    }
    // Before 1970 there is no time to go by, nor any window.
    if (timestamp < Math.max(0, horizon)) return;
    overlay.put(rowOf(isLeft, offset, timestamp), present, now());
  }

  remove(isLeft: boolean, offset: number, timestamp: number): void {
    const { overlay, now } = this.#host;
    if (timestamp < 0) return;
    const row = rowOf(isLeft, offset, timestamp);
    if (overlay.get(row) !== null) overlay.put(row, null, now());
  }

  addTime(isLeft: boolean, timestamp: number, newestKept: number): void {
    const { overlay, now } = this.#host;
    const there = overlay.get(timeRow(isLeft));
    if (timestamp <= newestKept || (there !== null && timestamp <= readTime(there, 0))) return;
    // Records that were kept in between may not have been the newest of the input: then windows still reach back from before them.
    const isPassed = there === null || newestKept >= readTime(there, 0);
    const bytes = new Uint8Array(16);
    writeTime(bytes, 0, timestamp);
    writeTime(bytes, 8, Math.max(0, isPassed ? newestKept : readTime(there, 8)));
    overlay.put(timeRow(isLeft), bytes, now());
  }

  timeKept(isLeft: boolean, inputTime: number): number {
    const there = this.#host.overlay.get(timeRow(isLeft));
    return there !== null && readTime(there, 0) >= inputTime ? readTime(there, 8) : inputTime;
  }

  offsets(isLeft: boolean): ReadonlySet<number> {
    const found = new Set<number>();
    for (const [row] of this.#host.overlay.range(null, null))
      if (row.length === rowBytes && (row[8] === 1) === isLeft) found.add(readTime(row, 9));
    return found;
  }
}
