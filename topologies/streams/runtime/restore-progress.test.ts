import { expect, test } from 'vitest';
import { RestoreMeter, type RestoreProgress } from './restore-progress.ts';

const step = (position: number) => ({ taskId: '0_1', store: 'sums', partition: 1, from: 1_000, position, end: 11_000 });

test('it tells the beginning, the end, and every half second in between how fast it goes and how long it will take', () => {
  const told: RestoreProgress[] = [];
  let now = 0;
  const meter = new RestoreMeter(
    'app',
    (progress) => told.push(progress),
    () => now,
  );
  meter.step(step(1_000));
  for (const position of [2_000, 3_000, 4_000, 5_000]) {
    now += 200;
    meter.step(step(position));
  }
  now = 2_000;
  meter.step(step(11_001)); // the marker of the last transaction lies behind the end that was asked for
  expect(told.map(({ restored, recordsPerSecond, etaMs, done }) => [restored, recordsPerSecond, etaMs, done])).toEqual([
    [0, 0, null, false],
    [3_000, 5_000, 1_400, false],
    [10_000, 5_000, 0, true],
  ]);
  expect(told[0]).toMatchObject({ applicationId: 'app', taskId: '0_1', store: 'sums', partition: 1, total: 10_000 });
});

test('stores do not silence each other', () => {
  const told: string[] = [];
  const meter = new RestoreMeter(
    'app',
    ({ store }) => told.push(store),
    () => 0,
  );
  meter.step(step(1_000));
  meter.step({ ...step(1_000), store: 'other' });
  meter.step(step(2_000));
  expect(told).toEqual(['sums', 'other']);
});
