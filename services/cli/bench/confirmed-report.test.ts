import { expect, test } from 'vitest';
import { comparison, percentile, type Side } from './confirmed-report.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('percentiles are those of the nearest rank, in whatever order the values come', () => {
  expect([0.5, 0.95, 0.99, 1].map((share) => percentile(upTo(200).reverse(), share))).toEqual([100, 190, 198, 200]);
  expect(percentile([7], 0.5)).toBe(7);
  expect(percentile([], 0.5)).toBeNaN();
});

const side = (name: Side['name'], confirmed: readonly number[]): Side => ({
  name,
  revision: `${name}-revision`,
  rounds: [
    {
      orders: confirmed.map((ms) => ({ steps: { CONFIRMED: ms - 5, PLACED: 1 }, answered: 10, confirmed: ms })),
      shopCores: 1.25,
      othersCores: 0.5,
    },
  ],
});

test('a comparison has the moments in their order, both sides, and what is here by what it is held against', () => {
  const lines = comparison([side('against', [40, 40, 40]), side('here', [20, 20, 20])]).split('\n');
  const cells = lines.map((line) => line.split(/ {2,}/));
  expect(cells[0]?.filter((cell) => cell.endsWith('p50'))).toEqual(['against p50', 'here p50', 'here/against p50']);
  expect(cells.slice(1, 5).map(([name]) => name)).toEqual([
    'PLACED happened',
    'CONFIRMED happened',
    'orderPlace answered',
    'CONFIRMED seen',
  ]);
  expect(cells[4]).toEqual([
    'CONFIRMED seen',
    ...Array(3).fill('40.0'),
    ...Array(3).fill('20.0'),
    ...Array(3).fill('0.50'),
  ]);
  expect(cells.at(-1)).toEqual(['here here-revision', '1', '20.0', '20.0', '20.0', '20.0', '1.25', '0.50']);
});

test('one side alone is shown without a ratio', () => {
  expect(comparison([side('here', [20])])).not.toContain('against');
});
