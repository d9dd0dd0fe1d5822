import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Engines, ephemeralFolder, startEngines } from '../engines/start.ts';
import { Discovery } from './discovery.ts';

let engines: Engines;
let redisUrl: string;

beforeAll(async () => {
  engines = await startEngines({ only: ['redis'], dataDir: ephemeralFolder(), ephemeral: true });
  redisUrl = String(engines.urls.REDIS_URL);
});
afterAll(() => engines[Symbol.asyncDispose]());

const self = (service: string, instance: string, url: string | null = `http://${instance}`) => ({
  service,
  instance,
  url,
  healthUrl: `http://${instance}/readyz`,
});

async function eventually(condition: () => Promise<boolean>, deadlineMs = 5_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('an instance is found while it lives and gone when it leaves', async () => {
  const discovery = new Discovery({ redisUrl });
  const registration = await discovery.register(self('users', 'users-1'));
  expect(await discovery.listInstances('users')).toMatchObject([{ instance: 'users-1', pid: process.pid }]);
  expect(await discovery.findService('users')).toMatchObject({ url: 'http://users-1' });
  await registration.close();
  expect(await discovery.listInstances('users')).toEqual([]);
  await discovery.close();
});

test('an instance that falls silent is gone after its time to live', async () => {
  const discovery = new Discovery({ redisUrl, ttlMs: 200, heartbeatMs: 60_000 });
  await discovery.register(self('stock', 'stock-1', null));
  expect(await discovery.listInstances('stock')).toHaveLength(1);
  await eventually(async () => (await discovery.listInstances('stock')).length === 0);
  await discovery.close();
});

test('heartbeats keep an instance alive beyond its time to live and carry its news', async () => {
  const discovery = new Discovery({ redisUrl, ttlMs: 300, heartbeatMs: 50 });
  const registration = await discovery.register(self('orders', 'orders-1', null));
  registration.update({ tasks: '0_1' });
  await eventually(async () => (await discovery.listInstances('orders'))[0]?.details.tasks === '0_1');
  await new Promise((resolve) => setTimeout(resolve, 600)); // twice the time to live
  expect(await discovery.listInstances('orders')).toHaveLength(1);
  await registration.close();
  await discovery.close();
});

test('several instances are used in turn, and none is an answer too', async () => {
  const discovery = new Discovery({ redisUrl });
  const both = [await discovery.register(self('gateway', 'g-1')), await discovery.register(self('gateway', 'g-2'))];
  const turns = [await discovery.findService('gateway'), await discovery.findService('gateway')];
  const found = new Set(turns.map((turn) => turn?.url));
  expect(found).toEqual(new Set(['http://g-1', 'http://g-2']));
  expect(await discovery.findService('nobody')).toBeNull();
  for (const one of both) await one.close();
  await discovery.close();
});

test('while Redis is away the last known address stays good', async () => {
  const own = await startEngines({ only: ['redis'], dataDir: ephemeralFolder(), ephemeral: true });
  const discovery = new Discovery({ redisUrl: String(own.urls.REDIS_URL) });
  await discovery.register(self('users', 'users-1'));
  expect(await discovery.findService('users')).toMatchObject({ url: 'http://users-1' });
  await own[Symbol.asyncDispose]();
  expect(await discovery.findService('users')).toMatchObject({ url: 'http://users-1' });
  await discovery.close();
});
