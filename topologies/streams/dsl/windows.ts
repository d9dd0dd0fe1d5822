import { InvalidArgumentError } from '../errors.ts';

/** How far apart two records may be to be joined, and how late they may come. */
export interface JoinWindows {
  /** How much older the other side may be. */
  readonly beforeMs: number;
  /** How much newer the other side may be. */
  readonly afterMs: number;
  /** How long after its window a record is still taken. */
  readonly graceMs: number;
}

const checked = (windows: JoinWindows): JoinWindows => {
  if (windows.beforeMs + windows.afterMs < 0 || windows.graceMs < 0) {
    throw new InvalidArgumentError('a join window must not end before it begins, and its grace must not be negative');
  }
  return windows;
};

export const JoinWindows = {
  ofTimeDifferenceWithNoGrace: (differenceMs: number): JoinWindows =>
    checked({ beforeMs: differenceMs, afterMs: differenceMs, graceMs: 0 }),
  ofTimeDifferenceAndGrace: (differenceMs: number, graceMs: number): JoinWindows =>
    checked({ beforeMs: differenceMs, afterMs: differenceMs, graceMs }),
  of: (beforeMs: number, afterMs: number, graceMs: number): JoinWindows => checked({ beforeMs, afterMs, graceMs }),
} as const;
