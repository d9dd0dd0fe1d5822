import type { RestoreProgress } from '@bookstream/streams';
import { expect, test } from 'vitest';
import { restoreLog } from './restore-log.ts';

const progress = (restored: number, etaMs: number | null): RestoreProgress => ({
  applicationId: 'stock',
  taskId: '0_3',
  store: 'stock-by-book',
  partition: 3,
  restored,
  total: 10_000,
  recordsPerSecond: 1_000,
  etaMs,
  done: restored === 10_000,
});

test('a restore that takes a while says every two seconds how far it is; a short one says nothing', () => {
  const lines: string[] = [];
  let now = 0;
  const tell = restoreLog({ info: (_event, text) => lines.push(text) }, () => now);
  tell(progress(0, null));
  tell(progress(10_000, 0));
  expect(lines).toEqual([]);
  tell(progress(0, null));
  for (now = 500; now < 4_500; now += 500) tell(progress(now, 10_000 - now));
  now = 10_000;
  tell(progress(10_000, 0));
  expect(lines).toEqual([
    'stock restores stock-by-book-3: 20 % (2000 of 10000 records, 1000/s), 8.0 s left',
    'stock restores stock-by-book-3: 40 % (4000 of 10000 records, 1000/s), 6.0 s left',
    'stock restores stock-by-book-3: 100 % (10000 of 10000 records, 1000/s), done',
  ]);
});
