import { expect, test } from 'vitest';
import { Shutdown } from './shutdown.ts';

test('what came up last goes down first', async () => {
  const order: string[] = [];
  const shutdown = new Shutdown();
  shutdown.add('database', () => void order.push('database'));
  shutdown.add('server', async () => void order.push('server'));
  expect(await shutdown.run()).toBe(true);
  expect(order).toEqual(['server', 'database']);
});

test('a step that throws or hangs does not keep the others from running', async () => {
  const order: string[] = [];
  const shutdown = new Shutdown(300);
  shutdown.add('database', () => void order.push('database'));
  shutdown.add('hangs', () => new Promise(() => {}));
  shutdown.add('throws', () => {
    throw new Error('no');
  });
  expect(await shutdown.run()).toBe(false);
  expect(order).toEqual(['database']);
});

test('a second call waits for the first and runs nothing twice', async () => {
  let runs = 0;
  const shutdown = new Shutdown();
  shutdown.add('once', () => {
    runs += 1;
  });
  await Promise.all([shutdown.run(), shutdown.run()]);
  expect(runs).toBe(1);
});
