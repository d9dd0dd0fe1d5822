import type { StockLevel } from '@bookstream/schemas/types/stock';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asked, bookId, meta } from '../shared/test/examples.ts';
import { type Attempt, availableOf, type Book, decideAdmin, decideLine, emptyBook, type LineCommand } from './stock.ts';

const shelf = (level: Partial<StockLevel>): Book => ({ ...emptyBook, level: { ...emptyBook.level, ...level } });
const about = { meta: meta(), bookId, orderId: 'o1', lineId: 'l1', attempt: 1 };
const reserve = (quantity: number): LineCommand => ({ type: 'ReserveStock', ...about, quantity, onShort: 'REJECT' });
const step = (type: 'ReleaseStock' | 'CommitStock' | 'ShipStock'): LineCommand => ({ type, ...about });
const giveBack = (from: 'COMMITTED' | 'SHIPPED'): LineCommand => ({ type: 'ReturnStock', ...about, from });
const reserved: Attempt = { state: 'RESERVED', quantity: 2 };

describe('reserving', () => {
  test('sets the copies aside', () => {
    expect(decideLine(reserve(2), shelf({ onHand: 3 }), null)).toMatchObject({
      event: { type: 'StockReserved', quantity: 2, level: { onHand: 3, reserved: 2, committed: 0 } },
      attempt: reserved,
      answer: { type: 'LineReserved', quantity: 2 },
    });
  });

  test.each([
    ['sold out', { onHand: 2, committed: 2 }, { available: 0, contended: false }],
    ['held by others, who may give them back', { onHand: 3, reserved: 2 }, { available: 1, contended: true }],
    ['too few even then', { onHand: 2, reserved: 1 }, { available: 1, contended: false }],
    ['kept as safety', { onHand: 5, safety: 4 }, { available: 1, contended: false }],
    ['less than nothing is told as nothing', { onHand: 1, safety: 3 }, { available: 0, contended: false }],
  ])('refuses with what there is: %s', (_why, level, numbers) => {
    const decision = decideLine(reserve(3), shelf(level), null);
    expect(decision).toMatchObject({ event: null, answer: { type: 'LineRejected', quantity: 3, ...numbers } });
  });

  test('a refusal is repeated, also when copies have come in meanwhile', () => {
    const { attempt } = decideLine(reserve(3), shelf({ onHand: 1 }), null);
    const again = decideLine(reserve(3), shelf({ onHand: 9 }), attempt);
    expect(again).toMatchObject({ event: null, answer: { type: 'LineRejected', available: 1 } });
  });
});

describe('releasing', () => {
  test('a release that overtook its reservation is remembered: the late reservation takes nothing', () => {
    const early = decideLine(step('ReleaseStock'), shelf({ onHand: 3 }), null);
    expect(early).toMatchObject({ event: null, answer: { type: 'LineReleased', quantity: 0 } });
    expect(decideLine(reserve(2), shelf({ onHand: 3 }), early.attempt)).toMatchObject({
      event: null,
      answer: { type: 'LineReleased' },
    });
  });

  test('what is bought cannot be released any more', () => {
    const decision = decideLine(step('ReleaseStock'), shelf({ onHand: 3, committed: 2 }), {
      state: 'COMMITTED',
      quantity: 2,
    });
    expect(decision).toMatchObject({ event: null, answer: { type: 'LineCommitted' } });
  });
});

test.each([
  [step('CommitStock'), null],
  [step('CommitStock'), { state: 'RELEASED', quantity: 2 }],
  [step('ShipStock'), reserved],
  [giveBack('SHIPPED'), { state: 'COMMITTED', quantity: 2 }],
] as const)('a step without the one before it moves nothing and says so: %#', (command, attempt) => {
  expect(() => decideLine(command, shelf({ onHand: 5, reserved: 2 }), attempt)).toThrow('no copy moved');
});

test.each([
  ['COMMITTED', { onHand: 5, reserved: 0, committed: 0, safety: 0 }],
  ['SHIPPED', { onHand: 7, reserved: 0, committed: 2, safety: 0 }],
] as const)('a return from %s puts the copies where they came from', (from, level) => {
  const book = shelf({ onHand: 5, committed: 2 });
  expect(decideLine(giveBack(from), book, { state: from, quantity: 2 })).toMatchObject({
    event: { type: 'StockReturned', from, level },
    answer: { type: 'LineReturned' },
  });
});

test('whatever is asked, in whatever order and however often: no copy is promised twice, and a repeat moves nothing', () => {
  const anyStep = fc.record({
    line: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom('ReserveStock', 'ReleaseStock', 'CommitStock', 'ShipStock', 'COMMITTED', 'SHIPPED'),
    quantity: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8 }), fc.array(anyStep, { maxLength: 40 }), (onHand, steps) => {
      let book = shelf({ onHand });
      const attempts = new Map<number, Attempt>();
      let gone = 0;
      for (const { line, kind, quantity } of steps) {
        const base = { ...about, lineId: String(line) };
        const command: LineCommand =
          kind === 'ReserveStock'
            ? { ...base, type: kind, quantity, onShort: 'REJECT' }
            : kind === 'COMMITTED' || kind === 'SHIPPED'
              ? { ...base, type: 'ReturnStock', from: kind }
              : { ...base, type: kind };
        let decision: ReturnType<typeof decideLine>;
        try {
          decision = decideLine(command, book, attempts.get(line) ?? null);
        } catch (fault) {
          expect(String(fault)).toContain('no copy moved');
          continue;
        }
        attempts.set(line, decision.attempt);
        if (decision.event !== null) book = { ...book, level: decision.event.level };
        if (decision.event?.type === 'StockShipped') gone += decision.event.quantity;
        if (decision.event?.type === 'StockReturned' && decision.event.from === 'SHIPPED')
          gone -= decision.event.quantity;

        const again = decideLine(command, book, decision.attempt);
        expect(again).toEqual({ event: null, attempt: decision.attempt, answer: decision.answer });
        const { level } = book;
        const counted = (state: Attempt['state']): number =>
          [...attempts.values()].reduce((sum, one) => sum + (one.state === state ? one.quantity : 0), 0);
        expect(level).toEqual({
          onHand: onHand - gone,
          reserved: counted('RESERVED'),
          committed: counted('COMMITTED'),
          safety: 0,
        });
        expect(availableOf(level)).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});

describe('movements by people', () => {
  const adjust = (delta: number) =>
    decideAdmin(
      { type: 'AdjustStock', ...asked('adjust'), bookId, delta, reason: 'counted' },
      shelf({ onHand: 5, reserved: 2, committed: 1 }),
    );

  test('copies that orders hold cannot be written off; the refusal has both numbers', () => {
    expect(adjust(-2)).toMatchObject({ type: 'StockAdjusted', level: { onHand: 3 } });
    expect(adjust(-3)).toMatchObject({ code: 'REFUSED', details: { onHand: '2', promised: '3' } });
  });

  test('a restock brings at least one copy', () => {
    const restock = (quantity: number) =>
      decideAdmin({ type: 'Restock', ...asked('restock'), bookId, quantity, reason: 'delivery' }, emptyBook);
    expect(restock(4)).toMatchObject({ type: 'StockRestocked', quantity: 4, level: { onHand: 4 } });
    expect(restock(0)).toMatchObject({ code: 'INVALID_QUANTITY' });
  });
});
