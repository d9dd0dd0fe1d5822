import { RegistryUnavailableError, useLocalSchemas } from '@bookstream/schemas/serde';
import { dlqOf, topics } from '@bookstream/schemas/topics';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projections } from './all.ts';
import { catalogue } from './catalogue/projection.ts';
import { bookById } from './catalogue/queries.ts';
import { FencedError } from './errors.ts';
import { orders } from './orders/projection.ts';
import { orderById, timelineAfter } from './orders/queries.ts';
import type { Projection } from './projection.ts';
import { Projector } from './projector.ts';
import type { Sink } from './sink.ts';
import { MongoSink } from './sinks/mongo.ts';
import { PostgresSink } from './sinks/postgres.ts';
import { stock, stockRows } from './stock/projection.ts';
import { stockOf } from './stock/queries.ts';
import { type Databases, databases, ownMongo, ownPostgres, until } from './test/engines.ts';
import {
  bookCreated,
  idOf,
  orderConfirmed,
  orderPlaced,
  orderView,
  priceChanged,
  restocked,
  toppedUp,
} from './test/events.ts';
import { InMemoryPort } from './test/in-memory-port.ts';
import { pausedIn, workUpTo } from './test/work-of.ts';
import { wallet } from './wallet/projection.ts';
import { walletOf } from './wallet/queries.ts';

let engines: Databases;
let count = 0;

beforeAll(async () => {
  useLocalSchemas();
  engines = await databases();
});
afterAll(() => engines?.[Symbol.asyncDispose]());

async function world() {
  count += 1;
  const name = `projector_${count}`;
  const port = new InMemoryPort();
  for (const topic of Object.values(topics)) {
    port.broker.createTopic(topic.name, 2);
    port.broker.createTopic(dlqOf(topic).name, 2);
  }
  const postgres = new PostgresSink(await ownPostgres(engines.postgresUrl, name));
  const mongo = new MongoSink(ownMongo(engines.mongoUrl, name));
  const open: Projector[] = [];
  return {
    port,
    postgres,
    mongo,
    async start(projection: Projection, instanceId = 'one') {
      const sink = projection.sink === 'postgres' ? postgres : mongo;
      const projector = await Projector.start({ projection, port, sink, instanceId });
      open.push(projector);
      return projector;
    },
    async [Symbol.asyncDispose]() {
      for (const projector of open) await projector.close();
      await Promise.all([postgres.close(), mongo.close()]);
    },
  };
}

const text = (bytes: Uint8Array | null | undefined): string => new TextDecoder().decode(bytes ?? new Uint8Array());

test('orders are seen with their lines and their timeline, and the versions of a row follow its events', async () => {
  await using shop = await world();
  const [orderId, userId] = [idOf('order', 1), idOf('user', 1)];
  shop.port.put(topics.ordersEvents, orderId, orderPlaced(orderId, userId));
  shop.port.put(topics.ordersView, orderId, orderView(orderId, userId, 1));
  await shop.start(orders);
  shop.port.put(topics.ordersEvents, orderId, orderConfirmed(orderId, userId, 2));
  shop.port.put(topics.ordersView, orderId, orderView(orderId, userId, 2, 'CONFIRMED'));
  const { pool } = shop.postgres;
  const order = await until(
    'order',
    () => orderById(pool, orderId),
    (row) => row?.version === 2,
  );
  expect(order).toEqual({
    orderId,
    userId,
    version: 2,
    status: 'CONFIRMED',
    payment: 'NONE',
    policy: 'ALL_OR_NOTHING',
    lines: orderView(orderId, userId, 2).lines,
    totalMinor: 2_500n,
    currency: 'EUR',
    rejection: null,
    placedAt: orderView(orderId, userId, 2).placedAt,
    updatedAt: orderView(orderId, userId, 2).updatedAt,
  });
  const steps = await until(
    'steps',
    () => timelineAfter(pool, orderId, 0),
    (found) => found.length === 2,
  );
  expect(steps.map((step) => [step.version, step.type, step.amountMinor])).toEqual([
    [1, 'PLACED', 2_500n],
    [2, 'CONFIRMED', 2_500n],
  ]);
  shop.port.putBytes(topics.ordersView.name, orderId, null);
  await until(
    'tombstone',
    () => orderById(pool, orderId),
    (row) => row === null,
  );
});

test('a projector that comes back goes on where it was, and rows are what one long fold would give', async () => {
  await using shop = await world();
  const user = idOf('user', 1);
  for (let version = 1; version <= 300; version += 1) {
    shop.port.put(topics.walletsEvents, user, toppedUp(user, version, 1n, BigInt(version)));
  }
  const first = await shop.start(wallet);
  await until(
    'some',
    () => walletOf(shop.postgres.pool, user),
    (row) => row !== null,
  );
  await first.close();
  for (let version = 301; version <= 500; version += 1) {
    shop.port.put(topics.walletsEvents, user, toppedUp(user, version, 1n, BigInt(version)));
  }
  await shop.start(wallet);
  await until(
    'all',
    () => walletOf(shop.postgres.pool, user),
    (row) => row?.version === 500,
  );
  const { rows } = await shop.postgres.pool.query(
    'select count(*)::int as entries, max(version) as last from wallet_entries',
  );
  expect(rows).toEqual([{ entries: 500, last: 500 }]);
});

test('a record that cannot be read and one that cannot be folded are dead letters with their cause; the flow goes on', async () => {
  await using shop = await world();
  await shop.start(catalogue);
  const { name } = topics.booksEvents;
  const book = idOf('book', 1);
  shop.port.putBytes(name, book, new Uint8Array([1, 2, 3]));
  shop.port.put(topics.booksEvents, book, priceChanged(book, 2, 5n));
  shop.port.put(topics.booksEvents, book, bookCreated(book, 'Emma'));
  await until(
    'the good one',
    () => bookById(shop.postgres.pool, book),
    (row) => row?.title === 'Emma',
  );
  const dead = shop.port.records(`${name}.dlq`).map((record) => ({
    key: text(record.key),
    ...Object.fromEntries(record.headers.map(([header, value]) => [header, text(value)])),
  }));
  expect(dead).toMatchObject([
    { key: book, reason: 'corrupt', 'origin-offset': '0', application: 'projection-catalogue' },
    { key: book, reason: 'processing', 'origin-offset': '1', cause: expect.stringContaining('never created') },
  ]);
});

test('a row that Postgres will not have is a dead letter; what stands around it in the batch gets through', async () => {
  await using shop = await world();
  const ids = [1, 2, 3].map((number) => idOf('book', number));
  const topic = { ...topics.booksEvents };
  for (const [index, id] of ids.entries()) {
    // One partition, so that they are one batch; a year beyond a 4-byte integer is what Avro cannot send, so the column is narrowed.
    const year = index === 1 ? 40_000 : 1_813;
    const value = topic.valueSerde.serialize(topic.name, bookCreated(id, `Book ${index}`, 1n, { publishedYear: year }));
    shop.port.broker.append([
      { topic: topic.name, partition: 0, timestamp: 1, key: new TextEncoder().encode(id), value, headers: [] },
    ]);
  }
  await shop.postgres.prepare(catalogue);
  await shop.postgres.pool.query('alter table books_b1 add check (published_year < 30000)');
  await shop.start(catalogue);
  const found = () => Promise.all(ids.map(async (id) => (await bookById(shop.postgres.pool, id))?.title ?? null));
  await until('the last one', found, (titles) => titles[2] !== null);
  expect(await found()).toEqual(['Book 0', null, 'Book 2']);
  const dead = shop.port.records(`${topic.name}.dlq`);
  expect(dead.map((record) => text(record.headers.find(([header]) => header === 'reason')?.[1]))).toEqual(['refused']);
});

test('text with NUL, tabs, backslashes and every other oddity comes back as it went, save NUL', async () => {
  await using shop = await world();
  await shop.start(catalogue);
  const book = idOf('book', 1);
  const odd = 'a\tb\\N\nc\r"d" {e,f} \u{1f4da} \\u0000';
  shop.port.put(
    topics.booksEvents,
    book,
    bookCreated(book, `nul\u0000${odd}`, 1n, { authors: [odd, '', 'NULL'], subjects: [] }),
  );
  const row = await until(
    'odd',
    () => bookById(shop.postgres.pool, book),
    (seen) => seen !== null,
  );
  expect(row).toMatchObject({ title: `nul\ufffd${odd}`, authors: [odd, '', 'NULL'], subjects: [], publisher: null });
});

test('two instances share the partitions, and one that leaves leaves nothing behind', async () => {
  await using shop = await world();
  const one = await shop.start(wallet, 'one');
  const two = await shop.start(wallet, 'two');
  await until(
    'shares',
    () => [one.status.length, two.status.length],
    (seen) => seen.every((length) => length === 1),
  );
  const users = Array.from({ length: 20 }, (_, index) => idOf('user', index));
  for (const user of users) shop.port.put(topics.walletsEvents, user, toppedUp(user, 1, 5n, 5n));
  const all = async () => (await shop.postgres.pool.query('select sum(version)::int as n from wallets')).rows[0].n;
  await until('first', all, (n) => n === 20);
  await one.close();
  for (const user of users) shop.port.put(topics.walletsEvents, user, toppedUp(user, 2, 5n, 10n));
  await until('second', all, (n) => n === 40);
});

describe.each(['postgres', 'mongo'] as const)('%s', (engine) => {
  const projection = engine === 'postgres' ? wallet : stock;
  const topic = engine === 'postgres' ? topics.walletsEvents : topics.stockEvents;
  const key = idOf('key', 1);

  const put = (port: InMemoryPort, version: number) =>
    engine === 'postgres'
      ? port.put(topics.walletsEvents, key, toppedUp(key, version, 1n, BigInt(version)))
      : port.put(topics.stockEvents, key, restocked(key, version, 1, version));

  const seen = async (shop: Awaited<ReturnType<typeof world>>) =>
    engine === 'postgres'
      ? Number((await walletOf(shop.postgres.pool, key))?.balanceMinor ?? 0n)
      : ((await stockOf(shop.mongo.db, [key]))[0]?.onHand ?? 0);

  const sinkOf = (shop: Awaited<ReturnType<typeof world>>): Sink =>
    engine === 'postgres' ? shop.postgres : shop.mongo;

  test('a zombie that wakes up after another has taken over writes nothing', async () => {
    await using shop = await world();
    const sink = sinkOf(shop);
    await sink.prepare(projection);
    const { partition } = put(shop.port, 1);
    put(shop.port, 2);
    put(shop.port, 3);
    const zombie = await sink.claim(projection.name, 1, topic.name, partition, true);
    await sink.apply(zombie, workUpTo(projection, shop.port, zombie, 1));
    const late = workUpTo(projection, shop.port, { ...zombie, nextOffset: 1 }, 2);

    const owner = await sink.claim(projection.name, 1, topic.name, partition, true);
    expect(owner.nextOffset).toBe(1);
    await expect(sink.apply({ ...zombie, nextOffset: 1 }, late)).rejects.toThrow(FencedError);
    expect(await seen(shop)).toBe(1);
    await sink.apply(owner, workUpTo(projection, shop.port, owner, 3));
    await expect(sink.apply({ ...zombie, nextOffset: 1 }, late)).rejects.toThrow(FencedError);
    expect(await seen(shop)).toBe(3);
    expect(await sink.checkpoints(projection.name, 1)).toEqual([{ topic: topic.name, partition, nextOffset: 3 }]);
  });

  test('a zombie stopped in the middle of its batch is refused too', async () => {
    await using shop = await world();
    const sink = sinkOf(shop);
    await sink.prepare(projection);
    const { partition } = put(shop.port, 1);
    put(shop.port, 2);
    put(shop.port, 3);
    const zombie = await sink.claim(projection.name, 1, topic.name, partition, true);
    await sink.apply(zombie, workUpTo(projection, shop.port, zombie, 1));
    const late = { ...zombie, nextOffset: 1 };
    const batch = pausedIn(workUpTo(projection, shop.port, late, 2));
    const stopped = expect(sink.apply(late, batch.work)).rejects.toThrow(FencedError);
    await batch.paused;
    const owner = await sink.claim(projection.name, 1, topic.name, partition, true);
    await sink.apply(owner, workUpTo(projection, shop.port, owner, 3));
    batch.resume();
    await stopped;
    expect(await seen(shop)).toBe(3);
    expect(await sink.checkpoints(projection.name, 1)).toEqual([{ topic: topic.name, partition, nextOffset: 3 }]);
  });

  test('work whose answer was lost is found done when it is sent again', async () => {
    await using shop = await world();
    const sink = sinkOf(shop);
    await sink.prepare(projection);
    const { partition } = put(shop.port, 1);
    const claim = await sink.claim(projection.name, 1, topic.name, partition, true);
    const work = workUpTo(projection, shop.port, claim, 1);
    await sink.apply(claim, work);
    await sink.apply(claim, work);
    expect(await seen(shop)).toBe(1);
  });
});

test('Mongo: rows written without their checkpoint, as by a crash, are left as they are when the batch comes again', async () => {
  await using shop = await world();
  await shop.mongo.prepare(stock);
  const [book, other] = [idOf('book', 1), idOf('book', 2)];
  const level = { onHand: 1, reserved: 0, committed: 0, safety: 0 };
  const joined = (version: number) =>
    ({
      type: 'WaitlistJoined',
      meta: restocked(book, version, 0, 0).meta,
      bookId: book,
      version,
      level,
      userId: 'u',
      position: version,
    }) as const;
  const { partition } = shop.port.put(topics.stockEvents, book, joined(1));
  shop.port.put(topics.stockEvents, book, joined(2)); // it counts up: a second fold would show
  const claim = await shop.mongo.claim(stock.name, 1, topics.stockEvents.name, partition, true);
  const { db } = shop.mongo;
  const before = await db.collection('projection_checkpoints').find().toArray();
  await shop.mongo.apply(claim, workUpTo(stock, shop.port, claim, 2));
  await db.collection('projection_checkpoints').updateMany({}, { $set: { nextOffset: before[0]?.nextOffset } });
  expect((await shop.mongo.checkpoints(stock.name, 1)).map(({ nextOffset }) => nextOffset)).toEqual([0]);

  shop.port.put(topics.stockEvents, book, joined(3));
  shop.port.put(topics.stockEvents, other, restocked(other, 1, 4, 4));
  await shop.start(stock);
  const rows = await until(
    'both',
    () => stockOf(db, [book, other]),
    (found) => found.length === 2 && found.some((row) => row.version === 3),
  );
  expect(new Map(rows.map((row) => [row.bookId, row.waiting]))).toEqual(
    new Map([
      [book, 3],
      [other, 0],
    ]),
  );
});

test('while the registry is away a partition waits for a schema, others are followed, and it goes on in its order', async () => {
  await using shop = await world();
  let away = true;
  const unseen = restocked(idOf('book', 1), 1, 4, 4);
  const asSent = topics.stockEvents.valueSerde.serialize(topics.stockEvents.name, unseen);
  const prepare = async (_topic: string, bytes: Uint8Array) => {
    if (away && Buffer.compare(bytes, asSent) === 0) throw new RegistryUnavailableError('http://registry');
  };
  const { topic } = stockRows;
  const rows = { ...stockRows, topic: { ...topic, valueSerde: { ...topic.valueSerde, prepare } } };
  await shop.mongo.prepare(stock);
  const projector = await shop.start({ ...stock, tables: [rows], versions: rows });
  const { partition } = shop.port.put(topics.stockEvents, unseen.bookId, unseen);
  shop.port.put(topics.stockEvents, unseen.bookId, restocked(unseen.bookId, 2, 3, 7));
  const others = Array.from({ length: 8 }, (_, index) => restocked(idOf('book', index + 2), 1, 1, 1));
  const beside = others.filter(
    (event) => shop.port.put(topics.stockEvents, event.bookId, event).partition !== partition,
  );
  expect(beside.length).toBeGreaterThan(0);
  const ids = [unseen, ...others].map((event) => event.bookId);
  const counted = async () => (await stockOf(shop.mongo.db, ids)).map((row) => row.bookId).sort();
  await until('the other partition', counted, (seen) => seen.length === beside.length);
  expect(await counted()).toEqual(beside.map((event) => event.bookId).sort());
  expect(projector.status.find((one) => one.partition === partition)).toMatchObject({
    state: 'RETRYING',
    error: expect.any(RegistryUnavailableError),
  });
  away = false;
  await until('all of it', counted, (seen) => seen.length === ids.length);
  const found = await stockOf(shop.mongo.db, [unseen.bookId]);
  expect(found.map((row) => [row.version, row.onHand])).toEqual([[2, 7]]);
  expect(shop.port.records(dlqOf(topics.stockEvents).name)).toEqual([]);
});

test('Mongo: a tombstone keeps its guard and is hidden', async () => {
  await using shop = await world();
  const gone = { ...stockRows, fold: () => null };
  const vanishing: Projection = { ...stock, tables: [gone], versions: gone };
  await shop.mongo.prepare(vanishing);
  const book = idOf('book', 1);
  const { partition } = shop.port.put(topics.stockEvents, book, restocked(book, 1, 4, 4));
  await shop.start(vanishing);
  const document = await until(
    'guard',
    () => shop.mongo.db.collection('stock_b1').findOne(),
    (found) => found !== null,
  );
  expect(document).toEqual({ _id: book, pos: { [`stock_events-${partition}`]: 0 }, gone: true });
  expect(await stockOf(shop.mongo.db, [book])).toEqual([]);
});

test('every projection of the shop can be laid out', async () => {
  await using shop = await world();
  for (const projection of projections) await shop.start(projection);
  expect((await shop.postgres.builds()).map(({ projection, state }) => `${projection} ${state}`)).toEqual([
    'catalogue LIVE',
    'orders LIVE',
    'wallet LIVE',
  ]);
  expect((await shop.mongo.builds()).map(({ projection, state }) => `${projection} ${state}`)).toEqual([
    'logs LIVE',
    'notifications LIVE',
    'stock LIVE',
  ]);
});
