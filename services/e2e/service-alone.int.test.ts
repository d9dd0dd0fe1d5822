import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { Discovery } from '../discovery/discovery.ts';
import { bookstream } from './command.ts';
import { newBook } from './new-book.ts';
import { eventually, ShopClient } from './shop-client.ts';

const { origin, urls } = inject('platform');

test('`service stock` runs alone beside the worker, shares its work, and orders go on when it comes and when it goes', async () => {
  using admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');
  using shopper = await ShopClient.shopper(origin, 100_000);
  const books = await Promise.all(Array.from({ length: 8 }, () => newBook(admin, 50, 1_000)));
  const buyOneOfEach = async () => {
    const placed = await Promise.all(books.map((book) => shopper.buy(book, 1)));
    return placed.map(({ order }) => order?.status);
  };
  const confirmed = books.map(() => 'CONFIRMED');
  const discovery = new Discovery({ redisUrl: urls.REDIS_URL });
  const alone = bookstream(['service', 'stock'], { BOOKSTREAM_INSTANCE: 'stock-alone', HEALTH_PORT: '0', PORT: '0' });
  try {
    const instance = await eventually(
      'it has told discovery that it runs',
      async () => (await discovery.listInstances('stock')).find((one) => one.instance === 'stock-alone'),
      30_000,
    );
    expect(instance.details).toMatchObject({ applications: 'bookstream-stock', projections: 'stock' });
    await eventually('it is ready', async () => (await fetch(instance.healthUrl)).ok, 30_000);
    expect(await buyOneOfEach()).toEqual(confirmed);
  } finally {
    alone.child.kill('SIGTERM');
  }
  expect((await alone.ended).code).toBe(0);
  expect(await discovery.listInstances('stock')).toEqual([]);
  await discovery.close();
  // Its tasks move when its place in the group has timed out, 10 s after it has gone: until then orders wait. A repeat asks how they stand.
  const keys = books.map(() => randomUUID());
  await eventually(
    'what was ordered after it had gone is confirmed',
    async () => {
      const placed = await Promise.all(books.map((book, index) => shopper.buy(book, 1, keys[index])));
      return placed.every(({ order }) => order?.status === 'CONFIRMED');
    },
    40_000,
  );
});
