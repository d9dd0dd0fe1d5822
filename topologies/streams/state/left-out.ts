import type { StoreBuilder } from '../plan/node.ts';
import { readTime, type StoreHost, writeTime } from './key-value-store.ts';
import type { StateStore } from './state-store.ts';

/**
 * Records that a join did not keep though they stand in its input: late, unreadable, or failed and taken back. Windows that are read again from
 * the input leave them out. Rows are `time | side | offset`, so that those which no window reaches any more are the first.
 */
export interface LeftOut extends StateStore {
  /** @param horizon rows that are older are deleted */
  add(isLeft: boolean, offset: number, timestamp: number, horizon: number): void;
  offsets(isLeft: boolean): ReadonlySet<number>;
}

export const leftOut = (name: string): StoreBuilder => ({
  spec: { name, kind: 'buffer', persistent: true, logged: true, retentionMs: null, changelogConfig: {} },
  open: (host) => new BytesLeftOut(name, host),
});

const present = Uint8Array.of(1);
const rowBytes = 17;

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
      const end = new Uint8Array(8);
      writeTime(end, 0, horizon);
      for (const [row] of [...overlay.range(null, end)]) overlay.put(row, null, now());
    }
    // Before 1970 there is no time to go by, nor any window.
    if (timestamp < Math.max(0, horizon)) return;
    const row = new Uint8Array(rowBytes);
    writeTime(row, 0, timestamp);
    row[8] = isLeft ? 1 : 0;
    writeTime(row, 9, offset);
    overlay.put(row, present, now());
  }

  offsets(isLeft: boolean): ReadonlySet<number> {
    const found = new Set<number>();
    for (const [row] of this.#host.overlay.range(null, null))
      if ((row[8] === 1) === isLeft) found.add(readTime(row, 9));
    return found;
  }
}
