import { InMemoryPort } from '@bookstream/projections/test/in-memory-port';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import type { LogRecorded } from '@bookstream/schemas/types/logs';
import { beforeAll, expect, test } from 'vitest';
import { type LogItem, logFeed } from './log-feed.ts';

beforeAll(useLocalSchemas);

const line = (message: string, more: Partial<LogRecorded> = {}): LogRecorded => ({
  type: 'LogRecorded',
  time: 1,
  level: 'info',
  service: 'orders',
  instance: 'orders-1',
  traceId: null,
  orderId: null,
  event: 'tick',
  message,
  fields: {},
  ...more,
});

const everything = { level: null, service: null };

async function withLogs() {
  const port = new InMemoryPort();
  await port.createTopics([{ name: topics.logs.name, partitions: 4 }]);
  const write = (message: string, more?: Partial<LogRecorded>) => port.put(topics.logs, message, line(message, more));
  return { port, write };
}

async function take(feed: AsyncIterator<LogItem>, count: number): Promise<LogItem[]> {
  const items: LogItem[] = [];
  while (items.length < count) {
    const { value } = await feed.next();
    if (value) items.push(value);
  }
  return items;
}

const messages = (items: readonly LogItem[]) => items.map(({ row }) => row.message).sort();

test('it begins now; a reader who comes back with a cursor gets what it missed, once', async () => {
  const { port, write } = await withLogs();
  write('before');
  const first = new AbortController();
  const feed = logFeed(port, { after: null, filter: everything, signal: first.signal });
  const coming = take(feed, 20);
  await new Promise((resolve) => setTimeout(resolve, 10));
  for (let n = 0; n < 20; n += 1) write(`a${n}`);
  const seen = await coming;
  expect(messages(seen)).toEqual(Array.from({ length: 20 }, (_, n) => `a${n}`).sort());
  await feed.return();
  first.abort();

  for (let n = 0; n < 20; n += 1) write(`b${n}`);
  const again = new AbortController();
  const after = seen[9]?.cursor ?? null;
  const resumed = logFeed(port, { after, filter: everything, signal: again.signal });
  const rest = await take(resumed, 30);
  const written = ['a', 'b'].flatMap((letter) => Array.from({ length: 20 }, (_, n) => `${letter}${n}`));
  expect(messages([...seen.slice(0, 10), ...rest])).toEqual(written.sort());
  await resumed.return();
});

test('level and service choose', async () => {
  const { port, write } = await withLogs();
  const gone = new AbortController();
  const feed = logFeed(port, { after: null, filter: { level: 'WARN', service: 'stock' }, signal: gone.signal });
  const coming = take(feed, 2);
  await new Promise((resolve) => setTimeout(resolve, 10));
  write('low', { service: 'stock', level: 'info' });
  write('other', { level: 'error' });
  write('warned', { service: 'stock', level: 'warn' });
  write('failed', { service: 'stock', level: 'error' });
  expect(messages(await coming)).toEqual(['failed', 'warned']);
  await feed.return();
});

test('a reader in a flood loses the oldest lines and is told how many; nothing is kept without bound', async () => {
  const { port, write } = await withLogs();
  const gone = new AbortController();
  const feed = logFeed(port, { after: null, filter: everything, signal: gone.signal });
  const first = take(feed, 1);
  await new Promise((resolve) => setTimeout(resolve, 10));
  write('first');
  await first;
  for (let n = 0; n < 5_000; n += 1) write(String(n)); // nobody reads
  port.putBytes(topics.logs.name, 'bad', new Uint8Array([0, 1, 2])); // cannot be read: it counts as left out
  await new Promise((resolve) => setTimeout(resolve, 300));
  const items = await take(feed, 2_000);
  expect(items.reduce((sum, { dropped }) => sum + dropped, 0) + items.length).toBe(5_001);
  await feed.return();
});

test.each([
  'nonsense',
  'e30',
  Buffer.from('[[0,-1]]').toString('base64url'),
  Buffer.from('{"a":1}').toString('base64url'),
])('the cursor %s is refused', async (after) => {
  const { port } = await withLogs();
  const feed = logFeed(port, { after, filter: everything, signal: new AbortController().signal });
  await expect(feed.next()).rejects.toThrow('This cursor is none of this feed');
});
