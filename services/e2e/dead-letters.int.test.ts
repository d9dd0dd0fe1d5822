import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import { connectKafka, type KafkaPort, type ProducedRecord } from '@bookstream/streams/kafka/index';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { bookstream } from './command.ts';
import { newBook } from './new-book.ts';
import { restockRecord } from './records.ts';
import { eventually, ShopClient } from './shop-client.ts';

const { origin, urls } = inject('platform');
const application = 'bookstream-stock';
let kafka: KafkaPort;
let admin: ShopClient;

beforeAll(async () => {
  await connectSchemas({ registryUrl: urls.REGISTRY_URL, cacheDir: mkdtempSync(join(tmpdir(), 'dead-letters-')) });
  kafka = await connectKafka({ bootstrapServers: urls.KAFKA_URL, clientId: 'dead-letters-test' });
  admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');
});
afterAll(async () => {
  admin?.[Symbol.dispose]();
  await kafka?.close();
});

async function send(record: ProducedRecord): Promise<void> {
  const producer = await kafka.producer();
  await producer.send([record]);
  await producer.close();
}

/** @returns what it wrote as JSON */
async function json<T>(args: readonly string[], code = 0): Promise<T> {
  const ended = await bookstream([...args, '--json']).ended;
  expect(ended, ended.err).toMatchObject({ code });
  return JSON.parse(ended.out) as T; // what the command says it writes
}

interface Listed {
  readonly address: string;
  readonly origin: string;
  readonly key: string;
  readonly reason: string;
  readonly state: string;
  readonly waiting: number | null;
}

const lettersOf = async (key: string): Promise<readonly Listed[]> => {
  const args = ['dlq', 'list', '--by', 'letter', '--topic', topics.stockCommands.name, '--application', application];
  return (await json<readonly Listed[]>(args)).filter((letter) => letter.key === key);
};

async function onHand(bookId: string): Promise<number> {
  const { admin: root } = await admin.ask<{ admin: { stock: { onHand: number } } }>(
    'query ($bookId: ID!) { admin { stock(bookId: $bookId) { onHand } } }',
    { bookId },
  );
  return root.stock.onHand;
}

test('a command that cannot be read parks its book, until an operator leaves it out', async () => {
  const { id: book } = await newBook(admin, 3, 1_250);
  await send({ ...restockRecord(randomUUID(), book, 1), value: new TextEncoder().encode('{"no":"avro"}') });
  await send(restockRecord(randomUUID(), book, 4));
  const { id: other } = await newBook(admin, 2, 1_250); // others go on
  expect(await onHand(other)).toBe(2);
  await eventually('the letter and the record behind it wait', async () => (await lettersOf(book))[0]?.waiting === 2);
  const [letter] = await lettersOf(book);
  expect(letter).toMatchObject({ reason: 'malformed', state: 'parked' });
  expect(await onHand(book)).toBe(3);
  const address = String(letter?.address);
  const shown = await bookstream(['dlq', 'show', address]).ended;
  expect(shown).toMatchObject({ code: 0, out: expect.stringContaining('{"no":"avro"}') });

  const ends = () =>
    kafka.endOffsets([0, 1, 2, 3].map((partition) => ({ topic: topics.stockCommands.name, partition })));
  const before = await ends();
  const redrive = ['dlq', 'redrive', address];
  expect(await json([...redrive, '--dry-run'])).toMatchObject([{ key: book, value: null, waiting: 2 }]);
  expect(await json(redrive, 5)).toMatchObject([
    { outcome: 'failed-again', taken: 0, left: 2, stoppedAt: letter?.origin },
  ]);
  expect(await json([...redrive, '--skip'])).toMatchObject([
    { outcome: 'done', skipped: letter?.origin, taken: 1, left: 0 },
  ]);
  await eventually('the copies that waited are on the shelf', async () => (await onHand(book)) === 7);
  expect(await ends()).toEqual(before); // nothing went to the source
  expect((await lettersOf(book)).map(({ state }) => state)).toEqual(['not parked', 'not parked']);
  const again = await bookstream(redrive).ended;
  expect(again).toMatchObject({ code: 1, err: expect.stringContaining('not parked now') });
});

test('what nobody parks is refused with the reason', async () => {
  await send({ ...restockRecord(randomUUID(), randomUUID(), 1), key: null });
  const list = () => json<readonly Listed[]>(['dlq', 'list', '--by', 'letter', '--reason', 'null-key']);
  await eventually('the letter', async () => (await list()).length > 0);
  const refused = await bookstream(['dlq', 'redrive', String((await list()).at(-1)?.address)]).ended;
  expect(refused).toMatchObject({
    code: 1,
    err: expect.stringMatching(/without a key parks nothing; nothing was sent/),
  });
});

test('every internal topic that a topology names is there, and an application that runs cannot be reset', async () => {
  const internal = await json<readonly { readonly name: string; readonly state: string }[]>(['topics', '--internal']);
  expect(internal.filter(({ state }) => state !== 'there')).toEqual([]);
  expect(internal.map(({ name }) => name)).toContain(`${application}-0-redrive`);
  const view = await bookstream(['reset', '--application', 'bookstream-order-view', '--yes']).ended;
  expect(view).toMatchObject({ code: 3, err: expect.stringMatching(/runs: .*; nothing was deleted/) });
  const deciding = await bookstream(['reset', '--application', application, '--yes']).ended;
  expect(deciding).toMatchObject({ code: 2, err: expect.stringMatching(/decides.*nothing was deleted/) });
});
