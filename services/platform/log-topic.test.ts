import type { LogRecorded } from '@bookstream/schemas/types/logs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LogTopic } from './log-topic.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const record = (message: string): LogRecorded => ({
  type: 'LogRecorded',
  time: 0,
  level: 'info',
  service: 'stock',
  instance: 'stock-1',
  traceId: null,
  orderId: null,
  event: 'tick',
  message,
  fields: {},
});

test('records travel together, in order', async () => {
  const sent: string[][] = [];
  const topic = new LogTopic(async (records) => void sent.push(records.map(({ message }) => message)));
  for (const message of ['a', 'b', 'c']) topic.offer(record(message));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toEqual([['a', 'b', 'c']]);
});

test('while the broker is away the buffer stays bounded; when it is back the newest arrive and the loss is told', async () => {
  let away = true;
  const sent: LogRecorded[] = [];
  const topic = new LogTopic(async (records) => {
    if (away) throw new Error('no broker');
    sent.push(...records);
  });
  for (let n = 0; n < 5_000; n += 1) topic.offer(record(String(n)));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(topic.waiting).toBeLessThanOrEqual(2_000);
  away = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent.some(({ message }) => message === '4999')).toBe(true);
  const told = sent.filter(({ event }) => event === 'log-records-dropped').map(({ fields }) => Number(fields.dropped));
  expect(
    told.reduce((sum, dropped) => sum + dropped, 0) + sent.filter(({ event }) => event === 'tick').length,
  ).toBeGreaterThanOrEqual(5_000);
});

test('what waits at the end is sent, and nothing is taken afterwards', async () => {
  const sent: string[] = [];
  const topic = new LogTopic(async (records) => void sent.push(...records.map(({ message }) => message)));
  topic.offer(record('last'));
  await topic.close();
  topic.offer(record('too late'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toEqual(['last']);
});

test('closing never fails, also when the broker is away', async () => {
  const topic = new LogTopic(async () => {
    throw new Error('no broker');
  });
  topic.offer(record('lost'));
  await expect(topic.close()).resolves.toBeUndefined();
});
