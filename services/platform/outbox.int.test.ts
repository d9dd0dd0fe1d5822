import { randomUUID } from 'node:crypto';
import { topics } from '@bookstream/schemas/topics';
import { connectKafka, type KafkaPort } from '@bookstream/streams/kafka/index';
import type { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Engines, ephemeralFolder, startEngines } from '../engines/start.ts';
import { connect, migrate } from '../users/database.ts';
import { endPool } from './end-pool.ts';
import { createLogger } from './logger.ts';
import { OutboxRelay } from './outbox.ts';

const topic = topics.usersEvents.name;
let engines: Engines;
let kafka: KafkaPort;
let pool: Pool;

beforeAll(async () => {
  engines = await startEngines({ only: ['kafka', 'postgres'], dataDir: ephemeralFolder(), ephemeral: true });
  const url = String(engines.urls.USERS_POSTGRES_URL);
  await migrate(url);
  pool = connect(url);
  pool.on('error', () => undefined); // the server goes at the end of the test
  kafka = await connectKafka({ bootstrapServers: String(engines.urls.KAFKA_URL), clientId: 'outbox-test' });
  await kafka.createTopics([{ name: topic, partitions: 4 }]);
});
afterAll(async () => {
  if (pool !== undefined) await endPool(pool);
  await kafka?.close();
  await engines?.[Symbol.asyncDispose]();
});

const silent = createLogger({ service: 'test', instance: 'test', write: () => {} });

const relay = (): OutboxRelay =>
  new OutboxRelay({
    pool,
    kafkaUrl: String(engines.urls.KAFKA_URL),
    transactionalId: 'bookstream-users/outbox-relay',
    logger: silent,
  });

const insert = 'insert into outbox (event_id, topic, key, value) values ($1, $2, $3, $4)';
const row = (key: string, value: string) => [randomUUID(), topic, key, Buffer.from(value)];
const waiting = async (): Promise<number> =>
  Number((await pool.query('select count(*) from outbox where published_at is null')).rows[0].count);

/** What the topic holds of a key, in order. */
async function written(key: string): Promise<readonly string[]> {
  const partitions = [0, 1, 2, 3].map((partition) => ({ topic, partition }));
  const ends = await kafka.endOffsets(partitions);
  const left = new Set([...ends].filter(([, end]) => end > 0).map(([name]) => name));
  const values: string[] = [];
  if (left.size === 0) return values;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    maxWaitMs: 20,
    onBatch: ({ partition, records, nextOffset }) => {
      for (const record of records) {
        if (String(Buffer.from(record.key ?? [])) === key) values.push(String(Buffer.from(record.value ?? [])));
      }
      if (nextOffset >= (ends.get(`${topic}-${partition}`) ?? 0)) left.delete(`${topic}-${partition}`);
      if (left.size === 0) resolve();
    },
    onOutOfRange: () => reject(new Error('the log has no beginning')),
    onError: reject,
  });
  for (const partition of partitions) fetcher.assign(partition, 0);
  await promise;
  await fetcher.close();
  return values;
}

async function until(what: string, condition: () => Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  for (const end = Date.now() + deadlineMs; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const allPublished = () => until('all rows are marked', async () => (await waiting()) === 0);

test("what was written is published once, one person's changes in their order", async () => {
  const key = randomUUID();
  for (const value of ['registered', 'renamed', 'renamed again']) await pool.query(insert, row(key, value));
  const running = relay();
  running.start();
  await allPublished();
  await running.close();
  expect(await written(key)).toEqual(['registered', 'renamed', 'renamed again']);
});

test('a row of a transaction that is still open is waited for: the later row does not overtake it', async () => {
  const key = randomUUID();
  const slow = await pool.connect();
  const running = relay();
  try {
    await slow.query('begin');
    await slow.query(insert, row(key, 'first')); // has the smaller id and commits last
    await pool.query(insert, row(key, 'second'));
    running.start();
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // a relay that goes by id alone sends `second` in this time
    expect(await written(key)).toEqual([]);
    await slow.query('commit');
    await allPublished();
  } finally {
    slow.release();
    await running.close();
  }
  expect(await written(key)).toEqual(['first', 'second']);
});

test('killed between the answer of Kafka and the mark, its successor sends nothing twice', async () => {
  const key = randomUUID();
  for (const value of ['one', 'two']) await pool.query(insert, row(key, value));
  const first = relay();
  first.start();
  await allPublished();
  await first.close();
  // What the database looks like when the mark was never made.
  await pool.query('update outbox set published_at = null where key = $1', [key]);
  await pool.query(insert, row(key, 'three'));
  const second = relay();
  second.start();
  await allPublished();
  await second.close();
  expect(await written(key)).toEqual(['one', 'two', 'three']);
});

test('of two relays one works, and the other takes over when it leaves', async () => {
  const key = randomUUID();
  const [one, two] = [relay(), relay()];
  one.start();
  two.start();
  for (let n = 0; n < 20; n += 1) await pool.query(insert, row(key, String(n)));
  await allPublished();
  await one.close();
  await pool.query(insert, row(key, '20'));
  await allPublished();
  await two.close();
  expect(await written(key)).toEqual(Array.from({ length: 21 }, (_, n) => String(n)));
});
