const firstMs = 500;
const capMs = 15_000;
const leastMs = 200;

/**
 * How long to wait before try number `attempt` (0 is the first repetition): full jitter under a doubling bound, so that all pages of a shop that
 * comes back do not knock at once.
 * @returns milliseconds, 200 to 15,000
 */
export const backOffMs = (attempt: number, random: () => number = Math.random): number =>
  Math.max(leastMs, Math.floor(random() * Math.min(capMs, firstMs * 2 ** Math.min(attempt, 20))));
