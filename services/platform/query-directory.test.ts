import { expect, test } from 'vitest';
import type { Instance } from '../discovery/discovery.ts';
import { DiscoveredQueries } from './query-directory.ts';

const instance = (name: string, details: Readonly<Record<string, string>>): Instance => ({
  service: 'stock',
  instance: name,
  url: null,
  healthUrl: '',
  pid: 1,
  startedAt: 0,
  details,
});

test('what one instance announces the others find, and keep while discovery is away', async () => {
  let now = 0;
  let registered: readonly Instance[] | null = [instance('quiet', { applications: 'x' })];
  const discovery = {
    listInstances: async (service?: string) => {
      if (registered === null) throw new Error(`Redis is away, asked for ${service}`);
      return registered.filter((one) => one.service === service);
    },
  };
  const one = new DiscoveredQueries(discovery, 'stock', () => now);
  const two = new DiscoveredQueries(discovery, 'stock', () => now);
  expect(one.details).toEqual({});
  const address = { instanceId: 'one', host: 'stock-1', port: 7_070 };
  one.announce(address);
  expect(await two.instances()).toEqual([]);
  registered = [...registered, instance('one', one.details), { ...instance('other', one.details), service: 'users' }];
  now += 999;
  expect(await two.instances()).toEqual([]);
  now += 1;
  expect(await two.instances()).toEqual([address]);
  registered = null;
  now += 5_000;
  expect(await two.instances()).toEqual([address]);
});
