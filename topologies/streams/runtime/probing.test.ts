import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Probing } from './probing.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const probing = () => {
  const asked: number[] = [];
  const began = Date.now();
  return { asked, probe: new Probing({ intervalMs: 600_000, rejoin: () => asked.push(Date.now() - began) }) };
};

test('it asks as soon as the warm-ups are caught up, and after the interval in any case', () => {
  const { asked, probe } = probing();
  probe.assigned(['0_1']);
  probe.warm();
  expect(asked).toEqual([0]);
  probe.assigned(['0_2']);
  vi.advanceTimersByTime(600_000);
  expect(asked).toEqual([0, 600_000]);
  probe.stop();
});

test('when that moves nothing it asks again later and later; other warm-ups are asked for at once', () => {
  const { asked, probe } = probing();
  for (let round = 0; round < 3; round += 1) {
    probe.assigned(['0_1']);
    probe.warm();
    vi.advanceTimersByTime(10_000);
  }
  expect(asked).toEqual([0, 12_000, 24_000]);
  probe.assigned(['0_2']);
  probe.warm();
  expect(asked).toEqual([0, 12_000, 24_000, 30_000]);
  probe.stop();
});

test('without warm-ups it does not ask, unless it has decided blindly', () => {
  const { asked, probe } = probing();
  probe.assigned([]);
  vi.advanceTimersByTime(1_000_000);
  expect(asked).toEqual([]);
  probe.decidedBlindly();
  probe.assigned([]);
  vi.advanceTimersByTime(600_000);
  expect(asked).toEqual([1_600_000]);
  probe.stop();
});
