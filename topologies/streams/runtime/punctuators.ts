import { InvalidArgumentError } from '../errors.ts';
import type { Cancellable, PunctuationType } from '../plan/node.ts';

interface Schedule {
  readonly type: PunctuationType;
  readonly intervalMs: number;
  readonly callback: (nowMs: number) => void;
  next: number;
  cancelled: boolean;
}

/** What is due when. Missed intervals run once and the rhythm is kept, as `PunctuationSchedule.next` of Kafka Streams does it. */
export class Punctuators {
  readonly #schedules: Schedule[] = [];

  add(type: PunctuationType, intervalMs: number, callback: (nowMs: number) => void, startMs: number): Cancellable {
    if (!(intervalMs >= 1))
      throw new InvalidArgumentError(`a punctuator every ${intervalMs} ms cannot be kept; give it at least 1`);
    const schedule: Schedule = { type, intervalMs, callback, next: startMs, cancelled: false };
    this.#schedules.push(schedule);
    return {
      cancel: () => {
        schedule.cancelled = true;
        const at = this.#schedules.indexOf(schedule);
        if (at >= 0) this.#schedules.splice(at, 1);
      },
    };
  }

  get isEmpty(): boolean {
    return this.#schedules.length === 0;
  }

  /** Of wall-clock schedules; Infinity when there is none. */
  get nextWallClock(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const schedule of this.#schedules) {
      if (schedule.type === 'wall-clock-time' && schedule.next < next) next = schedule.next;
    }
    return next;
  }

  /** Calls `run` for everything of `type` that is due. @returns how many ran */
  runDue(type: PunctuationType, nowMs: number, run: (callback: (nowMs: number) => void) => void): number {
    let ran = 0;
    for (const schedule of [...this.#schedules]) {
      if (schedule.cancelled || schedule.type !== type || schedule.next > nowMs) continue;
      const missed = Math.floor((nowMs - schedule.next) / schedule.intervalMs);
      schedule.next += (missed + 1) * schedule.intervalMs;
      run(schedule.callback);
      ran += 1;
    }
    return ran;
  }
}
