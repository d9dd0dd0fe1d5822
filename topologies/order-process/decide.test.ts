import { CurrencyMismatchError, eur } from '@bookstream/schemas/money';
import type { BookState } from '@bookstream/schemas/types/books';
import type { PlaceOrder } from '@bookstream/schemas/types/orders';
import type { PaymentsEvent } from '@bookstream/schemas/types/payments';
import type { ReservationsEvent } from '@bookstream/schemas/types/reservations';
import { describe, expect, test } from 'vitest';
import { ada, bookId, bookState, meta, otherBookId, placeOrder } from '../shared/test/examples.ts';
import { decide, type OrderInput, place, placingOf } from './decide.ts';
import { asEvent, evolve, type Order, type OrderFact } from './order.ts';
import { react } from './react.ts';

const command = placeOrder();
const { orderId } = command;
const placing = (book: BookState | null) => ({
  bookOf: () => book,
  holdId: 'hold-1',
  deadlineId: 'deadline-1',
  deadlineAt: 301_000,
});

/** The order that facts make, as the topology would write them. */
const ordered = (facts: readonly OrderFact[], before: Order | null = null): Order =>
  facts.reduce<Order | null>(
    (order, fact) => evolve(order, asEvent(fact, meta(), orderId, ada, (order?.version ?? 0) + 1)),
    before,
  ) as Order; // every list below begins with OrderPlaced or with an order

const twoLines: PlaceOrder = placeOrder({
  lines: [
    { lineId: 'l1', bookId, quantity: 2, expectedUnitPrice: eur(1_200n) },
    { lineId: 'l2', bookId: otherBookId, quantity: 1, expectedUnitPrice: eur(1_200n) },
  ],
});
const reserving = ordered(place(twoLines, placing(bookState())));

const aboutLine = (lineId: string, attempt = 1) => ({
  meta: meta(),
  orderId,
  lineId,
  attempt,
  bookId: lineId === 'l1' ? bookId : otherBookId,
  quantity: lineId === 'l1' ? 2 : 1,
});
const reserved = (lineId: string): ReservationsEvent => ({ type: 'LineReserved', ...aboutLine(lineId) });
const refused = (lineId: string, available: number): ReservationsEvent => ({
  type: 'LineRejected',
  ...aboutLine(lineId),
  available,
  contended: false,
});
const aboutHold = { meta: meta(), orderId, userId: ada, holdId: 'hold-1', amount: eur(3_600n) };
const authorized: PaymentsEvent = { type: 'PaymentAuthorized', ...aboutHold };
const declined: PaymentsEvent = { type: 'PaymentDeclined', ...aboutHold, missing: eur(940n) };
const timeout = (deadlineId: string) =>
  ({ type: 'TimeoutDue', meta: meta(), orderId, deadlineId, dueAt: 301_000 }) as const;

/** The order after some answers, each decided and folded in turn. */
const after = (...inputs: readonly Exclude<OrderInput, { payloadHash: string }>[]): Order =>
  inputs.reduce((order, input) => ordered(decide(input, order), order), reserving);
const demandsOf = (input: Exclude<OrderInput, { payloadHash: string }>, order: Order) => {
  const facts = decide(input, order);
  let now = order;
  return facts.flatMap((fact) => {
    now = ordered([fact], now);
    return react(asEvent(fact, meta(), orderId, ada, now.version), now);
  });
};

describe('placing', () => {
  test('fixes the prices and asks for all lines and the money at once', () => {
    expect(place(twoLines, placing(bookState()))).toMatchObject([
      { type: 'OrderPlaced', total: eur(3_600n), lines: [{ lineTotal: eur(2_400n) }, { lineTotal: eur(1_200n) }] },
      {
        type: 'ReservationStarted',
        round: 1,
        attempts: [
          { lineId: 'l1', attempt: 1, quantity: 2 },
          { lineId: 'l2', attempt: 1, quantity: 1 },
        ],
        holdId: 'hold-1',
        holdAmount: eur(3_600n),
        deadlineAt: 301_000,
      },
    ]);
    expect(reserving).toMatchObject({ status: 'RESERVING', payment: 'NONE', version: 2 });
  });

  test('a cheaper book wins silently', () => {
    const [placed, next] = place(command, placing(bookState({ price: eur(1_000n) })));
    expect(placed).toMatchObject({ total: eur(2_000n), lines: [{ unitPrice: eur(1_000n) }] });
    expect(next).toMatchObject({ type: 'ReservationStarted', holdAmount: eur(2_000n) });
  });

  test.each([
    ['dearer', bookState({ price: eur(1_201n) }), { reason: 'PRICE_CHANGED', was: eur(1_200n), now: eur(1_201n) }],
    ['unknown', null, { reason: 'UNKNOWN_BOOK', bookId }],
    ['withdrawn', bookState({ withdrawn: true }), { reason: 'BOOK_WITHDRAWN', bookId }],
  ])('a book that is %s rejects the order in the same decision, and nothing is asked of anybody', (_how, book, why) => {
    const facts = place(command, placing(book));
    expect(facts.map((fact) => fact.type)).toEqual(['OrderPlaced', 'OrderRejected']);
    expect(facts[1]).toMatchObject(why);
    expect(ordered(facts)).toMatchObject({ status: 'REJECTED', deadline: null, hold: null });
  });
});

describe('what comes of no order is told with a code', () => {
  const codesOf = (changes: Partial<PlaceOrder>, order: Order | null = null): readonly string[] => {
    const placed = placingOf(placeOrder(changes), order);
    return 'errors' in placed ? placed.errors.map((error) => error.code) : [];
  };
  const [line] = command.lines;
  if (line === undefined) throw new Error('the example has a line');

  test.each([
    ['no lines', { lines: [] }, ['INVALID_INPUT']],
    ['no copies', { lines: [{ ...line, quantity: 0 }] }, ['INVALID_QUANTITY']],
    [
      'another currency',
      { lines: [{ ...line, expectedUnitPrice: { amountMinor: 1n, currency: 'USD' } }] },
      ['INVALID_AMOUNT'],
    ],
    ['one line id twice', { lines: [line, line] }, ['INVALID_INPUT']],
    ['two faults', { lines: [{ ...line, quantity: 0 }, line] }, ['INVALID_QUANTITY', 'INVALID_INPUT']],
    ['a later policy', { policy: 'BACKORDER' }, ['NOT_SUPPORTED_YET']],
  ] as const)('%s', (_what, changes, codes) => {
    expect(codesOf(changes)).toEqual(codes);
  });

  test('an order that exists is not placed over', () => {
    expect(codesOf({}, reserving)).toEqual(['REFUSED']);
  });

  test('without these refusals the sum would throw and stop the partition', () => {
    const dollars = placeOrder({ lines: [{ ...line, expectedUnitPrice: { amountMinor: 1n, currency: 'USD' } }] });
    expect(() => place(dollars, placing(bookState()))).toThrow(CurrencyMismatchError);
  });
});

describe('answers', () => {
  test.each([
    ['money last', [reserved('l1'), reserved('l2'), authorized]],
    ['money first', [authorized, reserved('l2'), reserved('l1')]],
    ['each twice', [authorized, authorized, reserved('l1'), reserved('l1'), reserved('l2')]],
  ])('the last one confirms, %s', (_order, inputs) => {
    const last = inputs.at(-1) ?? authorized;
    const before = after(...inputs.slice(0, -1));
    expect(before.status).toBe('RESERVING');
    expect(after(...inputs)).toMatchObject({ status: 'CONFIRMED', payment: 'HELD', deadline: null });
    expect(demandsOf(last, before)).toEqual([
      { type: 'CommitStock', bookId, lineId: 'l1', attempt: 1 },
      { type: 'CommitStock', bookId: otherBookId, lineId: 'l2', attempt: 1 },
      { type: 'CaptureFunds', holdId: 'hold-1', amount: eur(3_600n) },
    ]);
  });

  test('a short book rejects with both numbers, and gives back the other line and the money', () => {
    const before = after(reserved('l1'), authorized);
    expect(decide(refused('l2', 0), before).at(-1)).toMatchObject({
      type: 'OrderRejected',
      reason: 'OUT_OF_STOCK',
      lineId: 'l2',
      requested: 1,
      available: 0,
    });
    expect(demandsOf(refused('l2', 0), before)).toEqual([
      { type: 'ReleaseStock', bookId, lineId: 'l1', attempt: 1 },
      { type: 'ReleaseHold', holdId: 'hold-1' },
    ]);
  });

  test('a declined payment tells what is missing, and gives back what was reserved', () => {
    const before = after(reserved('l2'));
    expect(decide(declined, before).at(-1)).toMatchObject({ reason: 'FUNDS', missing: eur(940n) });
    expect(demandsOf(declined, before)).toEqual([
      { type: 'ReleaseStock', bookId: otherBookId, lineId: 'l2', attempt: 1 },
    ]);
  });

  test('what is given to an order that has ended is given back at once, and once', () => {
    const rejected = after(refused('l2', 0));
    expect(rejected.status).toBe('REJECTED');
    expect(demandsOf(reserved('l1'), rejected)).toEqual([{ type: 'ReleaseStock', bookId, lineId: 'l1', attempt: 1 }]);
    expect(demandsOf(authorized, rejected)).toEqual([{ type: 'ReleaseHold', holdId: 'hold-1' }]);
    const compensated = after(refused('l2', 0), reserved('l1'), authorized);
    expect([...demandsOf(reserved('l1'), compensated), ...demandsOf(authorized, compensated)]).toEqual([]);
  });

  test('a second refusal of an order that is rejected rejects it no second time', () => {
    expect(decide(declined, after(refused('l2', 0))).map((fact) => fact.type)).toEqual(['PaymentMoved']);
  });

  test('an answer to an attempt, a line or a hold that is not asked for changes nothing', () => {
    expect(decide({ type: 'LineReserved', ...aboutLine('l1', 2) }, reserving)).toEqual([]);
    expect(decide({ type: 'LineReserved', ...aboutLine('l9') }, reserving)).toEqual([]);
    expect(decide({ type: 'PaymentAuthorized', ...aboutHold, holdId: 'hold-9' }, reserving)).toEqual([]);
  });

  test('after the confirmation come what stock and wallet did, on their own axes', () => {
    const confirmed = after(authorized, reserved('l1'), reserved('l2'));
    const paid = ordered(decide({ type: 'PaymentCaptured', ...aboutHold }, confirmed), confirmed);
    const owned = ordered(decide({ type: 'LineCommitted', ...aboutLine('l1') }, paid), paid);
    expect(owned).toMatchObject({
      status: 'CONFIRMED',
      payment: 'CAPTURED',
      lines: [{ answer: 'COMMITTED' }, { answer: 'RESERVED' }],
    });
  });
});

describe('the deadline', () => {
  test('ends an order that still waits, and gives back what it has', () => {
    const before = after(reserved('l1'));
    expect(decide(timeout('deadline-1'), before)).toMatchObject([{ type: 'OrderRejected', reason: 'TIMED_OUT' }]);
    expect(demandsOf(timeout('deadline-1'), before)).toEqual([
      { type: 'ReleaseStock', bookId, lineId: 'l1', attempt: 1 },
    ]);
  });

  test('is nothing to an order that has ended, nor is a deadline that is not its own', () => {
    expect(decide(timeout('deadline-1'), after(authorized, reserved('l1'), reserved('l2')))).toEqual([]);
    expect(decide(timeout('deadline-1'), after(declined))).toEqual([]);
    expect(decide(timeout('deadline-0'), reserving)).toEqual([]);
  });
});
