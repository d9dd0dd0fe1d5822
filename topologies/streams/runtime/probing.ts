export interface ProbingOptions {
  /** `probing.rebalance.interval.ms` */
  readonly intervalMs: number;
  readonly rejoin: () => void;
}

const firstAgainMs = 1_000;
const lastAgainMs = 60_000;

/**
 * When to ask the group to share out anew (KIP-441's probing rebalance): as soon as the warm-ups here are caught up, and after a while in any
 * case. Where that has moved nothing, as of a changelog that grows faster than one can join, the next time is later.
 */
export class Probing {
  readonly #options: ProbingOptions;
  #warmups = '';
  #asked = false;
  #againMs = firstAgainMs;
  #timer: NodeJS.Timeout | undefined;
  /** The leader did not know what members lack. */
  #unknown = false;

  constructor(options: ProbingOptions) {
    this.#options = options;
  }

  /** @param warmups tasks that are to move here; call it before they can be told to be caught up */
  assigned(warmups: readonly string[]): void {
    const key = warmups.join();
    const again = this.#asked && key === this.#warmups;
    this.#againMs = again ? Math.min(this.#againMs * 2, lastAgainMs) : firstAgainMs;
    this.#asked = again;
    this.#warmups = key;
    clearTimeout(this.#timer);
    if (warmups.length > 0 || this.#unknown) this.#in(this.#options.intervalMs);
    this.#unknown = false;
  }

  /** What this member has decided as the leader rests on nothing: it asks again after the interval. */
  decidedBlindly(): void {
    this.#unknown = true;
  }

  /** The warm-ups are caught up. */
  warm(): void {
    if (this.#asked) this.#in(this.#againMs);
    else this.#ask();
  }

  #in(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), ms);
  }

  #ask(): void {
    clearTimeout(this.#timer);
    this.#asked = true;
    this.#options.rejoin();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
