import { expect, test } from 'vitest';
import { rebuildBar } from './rebuild-bar.ts';

const progress = { projection: 'orders', build: 2, phase: 'LOAD', done: 5_000, total: 20_000, rate: 2_500 } as const;

test('tells how much is replayed, how fast, and how long it will take', () => {
  expect(rebuildBar(progress)).toBe(
    'build 2: ██████░░░░░░░░░░░░░░░░░░ 25 %, 5,000 of 20,000 records, 2,500/s, 6 s left',
  );
});

test('promises no end before it knows a rate, and none at the end', () => {
  expect(rebuildBar({ ...progress, rate: 0 })).not.toContain('left');
  expect(rebuildBar({ ...progress, done: 20_000 })).toBe(`build 2: ${'█'.repeat(24)} 100 %, 20,000 of 20,000 records`);
});

test('an empty topic is a full bar, not a division by zero', () => {
  expect(rebuildBar({ ...progress, done: 0, total: 0 })).toContain('100 %, 0 of 0 records');
});

test('after the replay it names what is done', () => {
  expect(rebuildBar({ ...progress, phase: 'SWITCH' })).toBe('build 2: switching readers over');
});
