import { expect, inject, test } from 'vitest';
import { Discovery } from '../discovery/discovery.ts';
import { bookstream } from './command.ts';
import { newBook } from './new-book.ts';
import { eventually, ShopClient } from './shop-client.ts';

const { origin, urls } = inject('platform');

interface Result {
  readonly recovered: boolean;
  readonly missing: readonly string[];
  readonly done: readonly { readonly did: string }[];
}

async function thrown(fault: string): Promise<Result> {
  const { code, out, err } = await bookstream(['chaos', '--fault', fault, '--seed', '1', '--json']).ended;
  expect(code, err).toBe(0);
  return JSON.parse(out);
}

test('`chaos --fault kill-worker` kills it, another takes its place, and orders go on', async () => {
  using admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');
  using shopper = await ShopClient.shopper(origin, 100_000);
  const book = await newBook(admin, 50, 1_000);
  const discovery = new Discovery({ redisUrl: urls.REDIS_URL });
  const [before] = await discovery.listInstances('worker');
  const result = await thrown('kill-worker');
  expect(result).toMatchObject({ recovered: true, missing: [] });
  expect(result.done.map(({ did }) => did)).toEqual([`worker (process ${before?.pid}) was killed`]);
  const [after] = await discovery.listInstances('worker');
  expect(after?.pid).not.toBe(before?.pid);
  await discovery.close();
  expect((await shopper.buy(book, 1)).order?.status).toBe('CONFIRMED');
}, 150_000);

test('`chaos --fault registry-away` does not hold up an order of a known kind, and the registry comes back', async () => {
  using admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');
  using shopper = await ShopClient.shopper(origin, 100_000);
  const book = await newBook(admin, 50, 1_000);
  const away = thrown('registry-away');
  await eventually('the registry is away', async () =>
    fetch(`${urls.REGISTRY_URL}/subjects`, { signal: AbortSignal.timeout(500) }).then(
      () => false,
      () => true,
    ),
  );
  expect((await shopper.buy(book, 1)).order?.status).toBe('CONFIRMED');
  expect(await away).toMatchObject({ recovered: true });
  expect((await fetch(`${urls.REGISTRY_URL}/subjects`)).ok).toBe(true);
}, 150_000);

test('`chaos` refuses what cannot be: an unknown fault, a broker of one', async () => {
  const unknown = await bookstream(['chaos', '--fault', 'meteor']).ended;
  expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining('kill-worker') });
  const lone = await bookstream(['chaos', '--fault', 'kill-broker']).ended;
  expect(lone).toMatchObject({ code: 3, err: expect.stringContaining('nothing was done') });
});
