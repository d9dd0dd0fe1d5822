import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { registerProjections } from './projection-metrics.ts';

const at = (partition: number, nextOffset: number, end: number | null) => ({
  ...{ topic: 'orders.events', partition, nextOffset, end },
  ...{ build: 1, state: 'FOLLOWING' as const, bad: 0, error: null },
});

test('a projection tells how far it is behind, of the partitions that it has and whose end it knows', async () => {
  const registry = new Registry();
  const running = [{ projection: { name: 'orders' }, status: [at(0, 4, 10), at(1, 7, 7), at(2, 0, null)] }];
  registerProjections(registry, () => running);
  const told = async () =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('projection_lag_records'));
  expect(await told()).toEqual([
    'projection_lag_records{projection="orders",topic="orders.events",partition="0"} 6',
    'projection_lag_records{projection="orders",topic="orders.events",partition="1"} 0',
  ]);
  running[0] = { projection: { name: 'orders' }, status: [at(1, 7, 9)] };
  expect(await told()).toEqual(['projection_lag_records{projection="orders",topic="orders.events",partition="1"} 2']);
});
