import { expect, test } from 'vitest';
import { type Gap, holds, isGap, type Line, withNewer, withOlder, withPage } from './log-rows.ts';

const line = (id: string, more: Partial<Line> = {}): Line => ({
  id,
  time: '2026-11-24T12:00:00.000Z',
  level: 'INFO',
  service: 'orders',
  instance: 'orders-1',
  traceId: null,
  orderId: null,
  event: 'order.confirmed',
  message: 'Order is confirmed.',
  fields: [],
  ...more,
});
const gap = (id: string): Gap => ({ gap: true, id, time: '2026-11-24T12:00:00.000Z', count: 3, reason: 'slow' });
const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);

test('newer lines come on top, each once, and the oldest go', () => {
  const rows = withNewer([line('b'), line('a')], [line('d'), line('c'), line('b')], 3);
  expect(ids(rows)).toEqual(['d', 'c', 'b']);
});

test('a gap is kept in its place, but not as the last row of a full list', () => {
  const rows = withNewer([line('a')], [line('c'), gap('g')], 10);
  expect(ids(rows)).toEqual(['c', 'g', 'a']);
  expect(ids(withNewer(rows, [line('d')], 3))).toEqual(['d', 'c']);
});

const at = (id: string, second: number) => line(id, { time: `2026-11-24T12:00:0${second}.000Z` });

test('what the store knows is put between what the feed brought, by time', () => {
  expect(ids(withPage([at('x', 5)], [at('b', 3), at('a', 2)], 10))).toEqual(['x', 'b', 'a']);
  expect(ids(withPage([at('b', 3), at('a', 2)], [at('c', 4), at('b', 3)], 10))).toEqual(['c', 'b', 'a']);
});

test('a page that does not reach back to the known lines leaves a gap between', () => {
  const rows = withPage([at('b', 3), at('a', 2)], [at('z', 9), at('y', 8)], 10);
  expect(rows.map((row) => (isGap(row) ? 'gap' : row.id))).toEqual(['z', 'y', 'gap', 'b', 'a']);
});

test('older lines come below, each once', () => {
  expect(ids(withOlder([line('c'), line('b')], [line('b'), line('a')]))).toEqual(['c', 'b', 'a']);
});

test('the text is looked for in all that a line says', () => {
  const one = line('a', { traceId: 'AbC123', orderId: '0f9e', fields: [{ name: 'topic', value: 'orders.events' }] });
  for (const text of ['', ' abc123 ', '0F9E', 'orders.events', 'order.confirmed', 'IS CONFIRMED'])
    expect(holds(one, text)).toBe(true);
  expect(holds(one, 'wallet')).toBe(false);
});
