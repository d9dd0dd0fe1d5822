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

/** How far behind the newest record another one may be that is still to be met. */
export const reachOf = ({ beforeMs, afterMs, graceMs }: JoinWindows): number =>
  Math.max(0, beforeMs) + Math.max(0, afterMs) + graceMs;

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

/** @throws InvalidArgumentError – not a whole number of ms, or below `least` */
const wholeMs = (what: string, ms: number, least: 0 | 1): number => {
  if (!Number.isSafeInteger(ms) || ms < least)
    throw new InvalidArgumentError(`${what} of ${ms} ms: a whole number of at least ${least} is needed`);
  return ms;
};

/**
 * Windows of equal size that begin at every multiple of `advanceMs` since the epoch: tumbling, or hopping where it is less than the size.
 * The start belongs to a window, the end does not. A window takes records while its end is after the newest record time less grace.
 */
export class TimeWindows {
  readonly sizeMs: number;
  readonly advanceMs: number;
  readonly graceMs: number;

  private constructor(sizeMs: number, advanceMs: number, graceMs: number) {
    this.sizeMs = wholeMs('a window', sizeMs, 1);
    this.advanceMs = wholeMs('the advance of a window', advanceMs, 1);
    this.graceMs = wholeMs('the grace of a window', graceMs, 0);
    if (advanceMs > sizeMs) {
      throw new InvalidArgumentError(
        `windows of ${sizeMs} ms every ${advanceMs} ms would leave gaps: the advance must not be above the size`,
      );
    }
  }

  static ofSizeWithNoGrace(sizeMs: number): TimeWindows {
    return new TimeWindows(sizeMs, sizeMs, 0);
  }

  static ofSizeAndGrace(sizeMs: number, graceMs: number): TimeWindows {
    return new TimeWindows(sizeMs, sizeMs, graceMs);
  }

  advanceBy(advanceMs: number): TimeWindows {
    return new TimeWindows(this.sizeMs, advanceMs, this.graceMs);
  }

  /** Starts of the windows that a time is in, the earliest first; none is negative. */
  *startsOf(timestamp: number): Generator<number> {
    const first = Math.max(0, timestamp - this.sizeMs + this.advanceMs);
    for (let start = first - (first % this.advanceMs); start <= timestamp; start += this.advanceMs) yield start;
  }
}

/**
 * A window for each set of records that are at most `timeDifferenceMs` apart: one ends at each record, one begins a millisecond after it.
 * Both ends belong to the window. Records before the first `timeDifferenceMs` of the epoch share the window that begins with it.
 */
export class SlidingWindows {
  readonly timeDifferenceMs: number;
  readonly graceMs: number;

  private constructor(timeDifferenceMs: number, graceMs: number) {
    this.timeDifferenceMs = wholeMs('the time difference of a sliding window', timeDifferenceMs, 0);
    this.graceMs = wholeMs('the grace of a window', graceMs, 0);
  }

  static ofTimeDifferenceWithNoGrace(timeDifferenceMs: number): SlidingWindows {
    return new SlidingWindows(timeDifferenceMs, 0);
  }

  static ofTimeDifferenceAndGrace(timeDifferenceMs: number, graceMs: number): SlidingWindows {
    return new SlidingWindows(timeDifferenceMs, graceMs);
  }
}

/** Records of a key with at most `inactivityGapMs` between neighbours are one session, from the first record to the last. */
export class SessionWindows {
  readonly inactivityGapMs: number;
  readonly graceMs: number;

  private constructor(inactivityGapMs: number, graceMs: number) {
    this.inactivityGapMs = wholeMs('the inactivity gap of a session', inactivityGapMs, 1);
    this.graceMs = wholeMs('the grace of a session', graceMs, 0);
  }

  static ofInactivityGapWithNoGrace(inactivityGapMs: number): SessionWindows {
    return new SessionWindows(inactivityGapMs, 0);
  }

  static ofInactivityGapAndGrace(inactivityGapMs: number, graceMs: number): SessionWindows {
    return new SessionWindows(inactivityGapMs, graceMs);
  }
}

/** `onWindowUpdate`: every update of a window goes on. `onWindowClose`: a window goes on once, when it takes no more records. */
export type EmitStrategy = 'onWindowUpdate' | 'onWindowClose';
