import type { RestoreStep } from './restore.ts';

/** How far the restore of one store of one task has come. */
export interface RestoreProgress {
  readonly applicationId: string;
  /** `<sub-topology>_<partition>`; `global`: of a global table */
  readonly taskId: string;
  readonly store: string;
  readonly partition: number;
  /** Records read, and to be read in all. Counted by offsets, so what was compacted away counts, too. */
  readonly restored: number;
  readonly total: number;
  /** Since this restore began; 0 until something has come. */
  readonly recordsPerSecond: number;
  /** Null: not known yet. */
  readonly etaMs: number | null;
  readonly done: boolean;
}

/** A restore tells when it begins, when it is done, and no more often than this in between. */
const tellEveryMs = 500;

/** Makes progress out of steps: rates, and not too many. One for each round of restores. */
export class RestoreMeter {
  readonly #applicationId: string;
  readonly #tell: (progress: RestoreProgress) => void;
  readonly #now: () => number;
  readonly #stores = new Map<string, { readonly since: number; toldAt: number }>();

  /** @param now ms, of a clock that never goes back */
  constructor(applicationId: string, tell: (progress: RestoreProgress) => void, now = () => performance.now()) {
    this.#applicationId = applicationId;
    this.#tell = tell;
    this.#now = now;
  }

  step({ taskId, store, partition, from, position, end }: RestoreStep): void {
    const now = this.#now();
    const key = `${taskId} ${store} ${partition}`;
    const known = this.#stores.get(key);
    const done = position >= end;
    if (known !== undefined && !done && now - known.toldAt < tellEveryMs) return;
    const state = known ?? { since: now, toldAt: now };
    state.toldAt = now;
    this.#stores.set(key, state);
    const [restored, total] = [Math.min(position, end) - from, end - from];
    const seconds = (now - state.since) / 1_000;
    const recordsPerSecond = seconds > 0 ? Math.round(restored / seconds) : 0;
    const etaMs = done
      ? 0
      : restored > 0 && seconds > 0
        ? Math.round(((total - restored) * seconds * 1_000) / restored)
        : null;
    this.#tell({
      applicationId: this.#applicationId,
      taskId,
      store,
      partition,
      restored,
      total,
      recordsPerSecond,
      etaMs,
      done,
    });
  }
}
