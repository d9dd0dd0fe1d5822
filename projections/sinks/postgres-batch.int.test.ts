import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BuildSwitchedError } from '../errors.ts';
import { orders } from '../orders/projection.ts';
import type { Projection } from '../projection.ts';
import { type Databases, databases, ownPostgres, until } from '../test/engines.ts';
import { idOf, orderPlaced, toppedUp } from '../test/events.ts';
import { InMemoryPort } from '../test/in-memory-port.ts';
import { pausedIn, workUpTo } from '../test/work-of.ts';
import { wallet } from '../wallet/projection.ts';
import { PostgresSink } from './postgres.ts';

let engines: Databases;
let count = 0;

beforeAll(async () => {
  useLocalSchemas();
  engines = await databases();
});
afterAll(() => engines?.[Symbol.asyncDispose]());

const user = idOf('user', 1);

/** One partition, so that every record is in it. */
async function world(projection: Projection) {
  count += 1;
  const port = new InMemoryPort();
  port.broker.createTopic(topics.walletsEvents.name, 1);
  port.broker.createTopic(topics.ordersEvents.name, 1);
  const sink = new PostgresSink(await ownPostgres(engines.postgresUrl, `batch_${count}`));
  await sink.prepare(projection);
  return {
    port,
    sink,
    topUp: (version: number) => port.put(topics.walletsEvents, user, toppedUp(user, version, 1n, BigInt(version))),
    all: async (table: string) => (await sink.pool.query(`select * from ${table} order by 1`)).rows,
    [Symbol.asyncDispose]: () => sink.close(),
  };
}

/** Makes a new, empty build the live one. */
async function switched(sink: PostgresSink, catchUp = async () => {}): Promise<void> {
  const next = await sink.begin(wallet);
  await sink.index(wallet, next.build);
  await sink.switchTo(wallet, next.build, catchUp);
}

const untilABatchWaits = (sink: PostgresSink) =>
  until(
    'a batch that waits for the switch',
    async () =>
      (
        await sink.pool.query(
          `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%projection_apply%' and datname = current_database()`,
        )
      ).rows,
    (rows) => rows.length === 1,
  );

const walletClaim = (sink: PostgresSink) => sink.claim(wallet.name, 1, topics.walletsEvents.name, 0, true);

test('rows of several tables and the position are written together or not at all', async () => {
  await using shop = await world(wallet);
  const { sink } = shop;
  shop.topUp(1);
  shop.topUp(2);
  await sink.pool.query('alter table wallet_entries_b1 add constraint first_only check (version < 2)');
  const claim = await walletClaim(sink);
  const refused = await sink.apply(claim, workUpTo(wallet, shop.port, claim, 2)).catch((error: unknown) => error);
  expect(sink.isRefusal(refused)).toBe(true);
  expect(await shop.all('wallets')).toEqual([]);
  expect(await shop.all('wallet_entries')).toEqual([]);
  expect(await sink.checkpoints(wallet.name, 1)).toMatchObject([{ nextOffset: 0 }]);

  await sink.apply(claim, workUpTo(wallet, shop.port, claim, 1));
  expect(await shop.all('wallets')).toMatchObject([{ version: 1 }]);
  expect(await shop.all('wallet_entries')).toMatchObject([{ version: 1 }]);
  expect(await sink.checkpoints(wallet.name, 1)).toMatchObject([{ nextOffset: 1 }]);
});

test('the first event of a row that never changes wins, in one batch and in a later one', async () => {
  await using shop = await world(orders);
  const { sink, port } = shop;
  const [orderId, topic] = [idOf('order', 1), topics.ordersEvents];
  for (const who of ['first', 'second', 'third']) port.put(topic, orderId, orderPlaced(orderId, who));
  const claim = await sink.claim(orders.name, 1, topic.name, 0, true);
  await sink.apply(claim, workUpTo(orders, port, claim, 2));
  const later = { ...claim, nextOffset: 2 };
  await sink.apply(later, workUpTo(orders, port, later, 3));
  expect(await shop.all('order_steps')).toMatchObject([{ user_id: 'first' }]);
  expect(await sink.checkpoints(orders.name, 1)).toMatchObject([{ nextOffset: 3 }]);
});

test('a batch that was read before a switch and comes to write after it is refused', async () => {
  await using shop = await world(wallet);
  const { sink } = shop;
  shop.topUp(1);
  const claim = await walletClaim(sink);
  const batch = pausedIn(workUpTo(wallet, shop.port, claim, 1));
  const refused = expect(sink.apply(claim, batch.work)).rejects.toThrow(BuildSwitchedError);
  await batch.paused;
  await switched(sink);
  batch.resume();
  await refused;
  expect(await shop.all('wallets_b1')).toEqual([]);
  expect(await shop.all('wallet_entries_b1')).toEqual([]);
  expect(await sink.checkpoints(wallet.name, 1)).toMatchObject([{ nextOffset: 0 }]);
});

test('a batch that comes to write while a switch is under way waits for it and is refused', async () => {
  await using shop = await world(wallet);
  const { sink } = shop;
  shop.topUp(1);
  const claim = await walletClaim(sink);
  let writing: Promise<unknown> = Promise.resolve();
  let isOver = false;
  await switched(sink, async () => {
    writing = sink.apply(claim, workUpTo(wallet, shop.port, claim, 1)).catch((error: unknown) => error);
    void writing.then(() => {
      isOver = true;
    });
    await untilABatchWaits(sink);
    expect(isOver).toBe(false);
  });
  expect(await writing).toBeInstanceOf(BuildSwitchedError);
  expect(await shop.all('wallets_b1')).toEqual([]);
});

test('whoever slept through two switches hears of the live build, though the tables are gone', async () => {
  await using shop = await world(wallet);
  const { sink } = shop;
  shop.topUp(1);
  const claim = await walletClaim(sink);
  await switched(sink);
  await switched(sink);
  expect((await sink.builds(wallet.name)).map(({ state }) => state)).toEqual(['DROPPED', 'KEPT', 'LIVE']);
  await expect(sink.apply(claim, workUpTo(wallet, shop.port, claim, 1))).rejects.toThrow(BuildSwitchedError);
});

test('the older builds can be dropped by a switch while a batch for one of them waits for it', async () => {
  await using shop = await world(wallet);
  const { sink } = shop;
  shop.topUp(1);
  const claim = await walletClaim(sink);
  const batch = pausedIn(workUpTo(wallet, shop.port, claim, 1));
  const refused = expect(sink.apply(claim, batch.work)).rejects.toThrow(BuildSwitchedError);
  await batch.paused;
  await switched(sink);
  await switched(sink, async () => {
    batch.resume();
    await untilABatchWaits(sink);
  });
  await refused;
});
