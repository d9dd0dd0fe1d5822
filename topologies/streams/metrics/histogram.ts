/** Upper bounds are powers of two, in ms, from 1 to 2^20 (17 minutes): to find one costs a single instruction. */
const last = 20;

/** How long things took, ms. */
export class Histogram {
  readonly #counts = new Array<number>(last + 2).fill(0);
  #sumMs = 0;
  #count = 0;

  add(ms: number): void {
    const value = Math.max(0, ms);
    const bucket = value <= 1 ? 0 : value > 2 ** last ? last + 1 : 32 - Math.clz32(Math.ceil(value) - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumMs += value;
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  /** How many were at most so long, bound by bound; the last bound is Infinity. */
  get cumulative(): readonly (readonly [boundMs: number, count: number])[] {
    let sum = 0;
    return this.#counts.map((count, bucket) => {
      sum += count;
      return [bucket > last ? Number.POSITIVE_INFINITY : 2 ** bucket, sum] as const;
    });
  }
}
