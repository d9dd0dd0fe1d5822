import { expect, test } from 'vitest';
import {
  isBehind,
  isFinal,
  isMoving,
  isSettled,
  mergeSteps,
  type OrderStatus,
  type Step,
  stagesOf,
  statusAfter,
  statusWords,
} from './progress.ts';

const step = (version: number, status: Step['status'] = null): Step => ({
  cursor: `c${version}`,
  id: `e${version}`,
  version,
  type: 'LINE_ANSWERED',
  at: '2026-11-24T12:00:00.000Z',
  message: '',
  status,
  answer: null,
});
const all = Object.keys(statusWords) as OrderStatus[]; // Record<OrderStatus, …> has no other keys.

test('steps that come twice or out of order stand once and in order', () => {
  const merged = mergeSteps([step(1), step(3)], [step(3), step(2)]);
  expect(merged.map(({ version }) => version)).toEqual([1, 2, 3]);
});

test('a step that came by the feed carries the status on', () => {
  const steps = [step(1, 'PLACED'), step(2, 'RESERVING'), step(3), step(4, 'CONFIRMED')];
  expect(statusAfter({ status: 'RESERVING', version: 2 }, steps)).toBe('CONFIRMED');
  expect(statusAfter({ status: 'RESERVING', version: 2 }, steps.slice(0, 3))).toBe('RESERVING');
});

test('an order that was read later than the feed is not thrown back by old steps', () => {
  expect(statusAfter({ status: 'CONFIRMED', version: 4 }, [step(1, 'PLACED'), step(2, 'RESERVING')])).toBe('CONFIRMED');
});

test('every status has a way: a moving one has a place, a final one has none ahead', () => {
  for (const status of all) {
    const states = stagesOf(status).map(({ state }) => state);
    expect(states.includes('current')).toBe(isMoving(status) || status === 'BACKORDERED');
    if (isFinal(status)) expect(states).not.toContain('ahead');
  }
});

test('an order that was read before its last steps is behind them, and its reason is still to be read', () => {
  expect(isBehind({ version: 3 }, [step(1), step(2), step(3), step(4, 'REJECTED')])).toBe(true);
  expect(isBehind({ version: 4 }, [step(1), step(2), step(3), step(4, 'REJECTED')])).toBe(false);
  expect(isBehind({ version: 0 }, [])).toBe(false);
});

test('a refused order is settled when nothing is held any more', () => {
  const order = { status: 'REJECTED', payment: 'RELEASED', lines: [{ fulfilment: 'REJECTED' }] } as const;
  expect(isSettled(order)).toBe(true);
  expect(isSettled({ ...order, payment: 'HELD' })).toBe(false);
  expect(isSettled({ ...order, lines: [{ fulfilment: 'RELEASED' }, { fulfilment: 'RESERVED' }] })).toBe(false);
  expect(isSettled({ ...order, status: 'RESERVING', payment: 'NONE' })).toBe(false);
});
