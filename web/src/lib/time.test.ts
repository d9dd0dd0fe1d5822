import { expect, test } from 'vitest';
import { ago, duration } from '#lib/time.ts';

const now = Date.parse('2026-11-24T12:00:00.000Z');
const before = (ms: number) => new Date(now - ms).toISOString();

test('how long ago, in words', () => {
  expect(ago(before(-800), now)).toBe('just now');
  expect(ago(before(4_900), now)).toBe('just now');
  expect(ago(before(59_000), now)).toBe('59 seconds ago');
  expect(ago(before(60_000), now)).toBe('1 minute ago');
  expect(ago(before(3 * 3_600_000), now)).toBe('3 hours ago');
  expect(ago(before(25 * 3_600_000), now)).toBe('yesterday');
});

test('how long it took, in two units at most', () => {
  expect([duration(-5), duration(840), duration(4_260), duration(42_900)]).toEqual(['0 ms', '840 ms', '4.2 s', '42 s']);
  expect([duration(185_000), duration(7_800_000), duration(273_600_000)]).toEqual([
    '3 min 5 s',
    '2 h 10 min',
    '3 d 4 h',
  ]);
});
