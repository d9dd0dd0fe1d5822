import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { scaleOf, workersOf, workingServices } from './scale.ts';

test('a scaled service leaves the shared worker and has processes of its own', () => {
  expect(workersOf(new Map())).toEqual([{ name: 'worker', args: ['service', 'worker'] }]);
  expect(workersOf(scaleOf('orders=1', scaleOf('stock=2')))).toEqual([
    { name: 'worker', args: ['service', 'worker', '--without', 'stock', '--without', 'orders'] },
    { name: 'stock-1', args: ['service', 'stock'] },
    { name: 'stock-2', args: ['service', 'stock'] },
    { name: 'orders-1', args: ['service', 'orders'] },
  ]);
});

test('with every service on its own there is no shared worker', () => {
  const all = workingServices.reduce((scale, service) => scaleOf(`${service}=1`, scale), scaleOf('stock=1'));
  expect(workersOf(all).map((child) => child.name)).not.toContain('worker');
});

test.each(['stock', 'stock=', 'stock=0', 'stock=17', 'stock=two', 'stock=1.5', 'gateway=2', '=2', ''])(
  '%j is refused, with the services that there are',
  (text) => {
    expect(() => scaleOf(text)).toThrow(InvalidArgumentError);
    expect(() => scaleOf(text)).toThrow(/books, orders, stock/);
  },
);
