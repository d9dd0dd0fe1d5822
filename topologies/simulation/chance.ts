/** What a seed decides. */
export interface Chance {
  /** True with this probability. */
  of(probability: number): boolean;
  /** A whole number from 0, below `max`. */
  upTo(max: number): number;
  /** One of them; the list is not empty. */
  some<T>(from: readonly T[]): T;
  /** One of them, each as often as its weight says. */
  weighted<T>(from: readonly (readonly [weight: number, T])[]): T;
}

/** The same seed gives the same run (mulberry32). */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const upTo = (max: number): number => Math.floor(next() * max);
  const some = <T>(from: readonly T[]): T => from[upTo(from.length)] as T; // the index is below the length
  return {
    of: (probability) => next() < probability,
    upTo,
    some,
    weighted: (from) => {
      let left = next() * from.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, one] of from) {
        left -= weight;
        if (left < 0) return one;
      }
      return some(from)[1]; // rounding left nothing over
    },
  };
}
