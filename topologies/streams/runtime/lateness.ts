/** How far records came behind stream time. */
export interface Late {
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;
}

export class Lateness {
  #late = { count: 0, sumMs: 0, maxMs: 0 };

  note(ms: number): void {
    this.#late.count += 1;
    this.#late.sumMs += ms;
    if (ms > this.#late.maxMs) this.#late.maxMs = ms;
  }

  /** Of the records since the last take. */
  take(): Late {
    const taken = this.#late;
    if (taken.count > 0) this.#late = { count: 0, sumMs: 0, maxMs: 0 };
    return taken;
  }
}
