import { afterAll, beforeAll, describe, test } from 'vitest';
import { type Ground, openGround } from './ground.ts';
import { rows } from './rows.ts';
import { runRow } from './run-row.ts';

// The short form of `npm run chaos -- crash-matrix`: each row once, on few orders.
const seed = Number(process.env.BOOKSTREAM_SEED ?? 20_261_126);
const orders = 2_000;

describe('on one broker', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await openGround(1, orders);
  }, 120_000);
  afterAll(() => ground?.[Symbol.asyncDispose]());

  // Most of a row's time is waiting, for sessions to end above all; those that last longest begin first.
  const some = rows.filter(({ brokers }) => brokers === 1).toSorted((a, b) => b.short.seconds - a.short.seconds);
  test.concurrent.for(some)('$name: $what', { timeout: 120_000 }, async (row, { expect }) => {
    const { mistakes } = await runRow(row, ground, { seed, extent: 'short' });
    expect(mistakes).toEqual([]);
  });

  test.concurrent('what at_least_once doubles is seen', async ({ expect }) => {
    const row = rows.find(({ name }) => name === 'before-offsets');
    const result = row && (await runRow(row, ground, { seed, extent: 'short', mode: 'at_least_once' }));
    expect(result?.hits).toHaveLength(1);
    expect(result?.mistakes.join('\n')).toMatch(/a second status/);
  }, 120_000);
});

test.for(rows.filter(({ brokers }) => brokers === 3))('$name: $what', { timeout: 180_000 }, async (row, { expect }) => {
  await using ground = await openGround(3, orders);
  const { mistakes } = await runRow(row, ground, { seed, extent: 'short' });
  expect(mistakes).toEqual([]);
});
