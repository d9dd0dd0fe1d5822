import { expect, test } from 'vitest';
import { planOrders, runPlainShop, seeded } from './plain-shop.ts';

test.each([1, 7, 42])('the sums of plan %i do not hang on the order in which it is served', (seed) => {
  const plan = planOrders(seed, 300);
  const served = runPlainShop(plan);
  expect(served.confirmed).toBeGreaterThan(150);
  expect(served.rejected).toBeGreaterThan(30);
  const random = seeded(seed + 1);
  for (let round = 0; round < 5; round += 1) {
    const shuffled = plan.orders
      .map((order) => ({ order, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ order }) => order);
    expect(runPlainShop({ ...plan, orders: shuffled })).toEqual(served);
  }
});

test('the scarce shelf is emptied and never overdrawn', () => {
  const { stock } = runPlainShop(planOrders(3, 500));
  expect(stock.get('scarce')).toEqual({ onHand: 7, committed: 7 });
  expect(stock.get('sold-out')).toEqual({ onHand: 0, committed: 0 });
});
