import { add, compare, multiply, shopCurrency, zero } from '@bookstream/schemas/money';
import type { BookState } from '@bookstream/schemas/types/books';
import type {
  LineAnswer,
  OrderLine,
  OrdersCommand,
  OrdersEvent,
  PaymentAnswer,
  PlaceOrder,
  PlaceOrderLine,
  RejectReason,
  TimeoutDue,
} from '@bookstream/schemas/types/orders';
import type { CommandError } from '@bookstream/schemas/types/outcomes';
import type { PaymentsEvent } from '@bookstream/schemas/types/payments';
import type { ReservationsEvent } from '@bookstream/schemas/types/reservations';
import { refusal } from '../shared/inbox.ts';
import type { Bare, LineState, Order, OrderFact } from './order.ts';

export type OrderInput = OrdersCommand | ReservationsEvent | PaymentsEvent;

/** What people ask of an order: each has an outcome. */
export type PersonsOrderCommand = Exclude<OrdersCommand, { type: 'TimeoutDue' }>;

/**
 * The order that a command asks for, or why none comes of it. The gateway has checked all this: here it is for what passes by it, because a
 * decision that throws would stop every order of the partition.
 */
export function placingOf(
  command: PersonsOrderCommand,
  order: Order | null,
): { readonly command: PlaceOrder } | { readonly errors: readonly [CommandError, ...CommandError[]] } {
  if (command.type !== 'PlaceOrder') {
    return { errors: [refusal('NOT_SUPPORTED_YET', `${command.type} cannot be done yet; the order is unchanged`)] };
  }
  if (order !== null) {
    // The inbox answers a repeat as long as it remembers; this is one from before, or a stranger's id.
    return { errors: [refusal('REFUSED', 'this order was placed before; look at it. Nothing was ordered again')] };
  }
  if (command.policy !== 'ALL_OR_NOTHING') {
    const message = `${command.policy} cannot be ordered yet; nothing was ordered`;
    return { errors: [refusal('NOT_SUPPORTED_YET', message, ['policy'])] };
  }
  if (command.lines.length === 0) {
    return { errors: [refusal('INVALID_INPUT', 'an order has at least one line; nothing was ordered', ['lines'])] };
  }
  const [first, ...more] = command.lines.flatMap((line, index) => wrongWithLine(command, line, index));
  return first === undefined ? { command } : { errors: [first, ...more] };
}

function wrongWithLine(
  { lines }: PlaceOrder,
  { lineId, quantity, expectedUnitPrice }: PlaceOrderLine,
  index: number,
): readonly CommandError[] {
  const refused = (code: string, message: string, field: string): CommandError =>
    refusal(code, `${message}; nothing was ordered`, ['lines', String(index), field]);
  const errors: CommandError[] = [];
  if (quantity < 1) errors.push(refused('INVALID_QUANTITY', 'order at least one copy', 'quantity'));
  if (expectedUnitPrice.currency !== shopCurrency || expectedUnitPrice.amountMinor < 0n) {
    errors.push(refused('INVALID_AMOUNT', `prices are in ${shopCurrency}, not below zero`, 'expectedUnitPrice'));
  }
  if (lines.findIndex((line) => line.lineId === lineId) < index) {
    errors.push(refused('INVALID_INPUT', 'two lines have one id', 'lineId'));
  }
  return errors;
}

/** What PlaceOrder needs beside itself: the catalogue as it is now, and names for what it will start. */
export interface Placing {
  readonly bookOf: (bookId: string) => BookState | null;
  readonly holdId: string;
  readonly deadlineId: string;
  readonly deadlineAt: number;
}

const rejectedBecause = (
  reason: RejectReason,
  numbers: Partial<Bare<Extract<OrdersEvent, { type: 'OrderRejected' }>>> = {},
): OrderFact => ({
  type: 'OrderRejected',
  reason,
  lineId: null,
  bookId: null,
  requested: null,
  available: null,
  missing: null,
  was: null,
  now: null,
  ...numbers,
});

/** Fixes the prices and begins the first round: all lines at once, the hold beside them. */
export function place(command: PlaceOrder, placing: Placing): readonly OrderFact[] {
  const found = command.lines.map((line) => ({ line, book: placing.bookOf(line.bookId) }));
  const lines = found.map(({ line, book }): OrderLine => {
    const unitPrice = book?.price ?? line.expectedUnitPrice;
    const { lineId, bookId, quantity } = line;
    return {
      lineId,
      bookId,
      title: book?.details.title ?? '',
      quantity,
      unitPrice,
      lineTotal: multiply(unitPrice, quantity),
    };
  });
  const total = lines.reduce((sum, line) => add(sum, line.lineTotal), zero);
  const placed: OrderFact = { type: 'OrderPlaced', lines, total, policy: command.policy };

  for (const { line, book } of found) {
    const { lineId, bookId } = line;
    if (book === null) return [placed, rejectedBecause('UNKNOWN_BOOK', { lineId, bookId })];
    if (book.withdrawn) return [placed, rejectedBecause('BOOK_WITHDRAWN', { lineId, bookId })];
    if (compare(book.price, line.expectedUnitPrice) > 0) {
      const numbers = { lineId, bookId, was: line.expectedUnitPrice, now: book.price };
      return [placed, rejectedBecause('PRICE_CHANGED', numbers)];
    }
  }
  const attempts = lines.map(({ lineId, bookId, quantity }) => ({ lineId, bookId, attempt: 1, quantity }));
  const { holdId, deadlineId, deadlineAt } = placing;
  return [
    placed,
    { type: 'ReservationStarted', round: 1, attempts, holdId, holdAmount: total, deadlineId, deadlineAt },
  ];
}

type StockFact = {
  readonly answer: LineAnswer;
  readonly available: number | null;
  readonly contended: boolean;
  readonly position: number | null;
};

function stockFactOf(input: ReservationsEvent): StockFact {
  const plain = (answer: LineAnswer): StockFact => ({ answer, available: null, contended: false, position: null });
  switch (input.type) {
    case 'LineReserved':
      return plain('RESERVED');
    case 'LineRejected':
      return { answer: 'REJECTED', available: input.available, contended: input.contended, position: null };
    case 'LineQueued':
      return { answer: 'QUEUED', available: null, contended: false, position: input.position };
    case 'LineReleased':
      return plain('RELEASED');
    case 'LineCommitted':
      return plain('COMMITTED');
    case 'LineShipped':
      return plain('SHIPPED');
    case 'LineReturned':
      return plain('RETURNED');
  }
}

/** Which answers may follow which; anything else is a repeat, or an answer that came too late to change anything. */
const mayFollow: Readonly<Record<LineState['answer'], readonly LineAnswer[]>> = {
  NONE: [],
  ASKED: ['RESERVED', 'REJECTED', 'QUEUED', 'RELEASED'],
  QUEUED: ['RESERVED', 'REJECTED', 'RELEASED'],
  RESERVED: ['RELEASED', 'COMMITTED'],
  COMMITTED: ['SHIPPED', 'RETURNED'],
  SHIPPED: ['RETURNED'],
  REJECTED: [],
  RELEASED: [],
  RETURNED: [],
};

function lineAnswered(input: ReservationsEvent, order: Order): readonly OrderFact[] {
  const line = order.lines.find((one) => one.lineId === input.lineId);
  const fact = stockFactOf(input);
  if (line === undefined || line.attempt !== input.attempt || !mayFollow[line.answer].includes(fact.answer)) return [];
  const { lineId, bookId, attempt, quantity } = input;
  const answered: OrderFact = { type: 'LineAnswered', lineId, bookId, attempt, quantity, ...fact };
  if (order.status !== 'RESERVING') return [answered];
  if (fact.answer === 'REJECTED') {
    const numbers = { lineId, bookId, requested: line.quantity, available: fact.available };
    return [answered, rejectedBecause('OUT_OF_STOCK', numbers)];
  }
  return [answered, ...confirmedBy(order, answered)];
}

const paymentMayFollow: Readonly<Record<'ASKED' | PaymentAnswer, readonly PaymentAnswer[]>> = {
  ASKED: ['AUTHORIZED', 'DECLINED', 'RELEASED'],
  AUTHORIZED: ['CAPTURED', 'RELEASED'],
  DECLINED: [],
  CAPTURED: ['REFUNDED'],
  RELEASED: [],
  REFUNDED: ['REFUNDED'],
};

const paymentAnswerOf = (input: PaymentsEvent): PaymentAnswer => {
  switch (input.type) {
    case 'PaymentAuthorized':
      return 'AUTHORIZED';
    case 'PaymentDeclined':
      return 'DECLINED';
    case 'PaymentCaptured':
      return 'CAPTURED';
    case 'PaymentReleased':
      return 'RELEASED';
    case 'PaymentRefunded':
      return 'REFUNDED';
  }
};

function paymentAnswered(input: PaymentsEvent, order: Order): readonly OrderFact[] {
  const answer = paymentAnswerOf(input);
  const holdId = input.type === 'PaymentRefunded' ? null : input.holdId;
  if (order.hold === null || holdId !== order.hold.holdId || !paymentMayFollow[order.hold.answer].includes(answer))
    return [];
  const missing = input.type === 'PaymentDeclined' ? input.missing : null;
  const moved: OrderFact = { type: 'PaymentMoved', answer, holdId, refundId: null, amount: input.amount, missing };
  if (order.status !== 'RESERVING') return [moved];
  if (answer === 'DECLINED') return [moved, rejectedBecause('FUNDS', { missing })];
  return [moved, ...confirmedBy(order, moved)];
}

/** Confirmed as soon as the last line is reserved and the money is held. */
function confirmedBy(order: Order, fact: OrderFact): readonly OrderFact[] {
  const lines = order.lines.map((line) =>
    fact.type === 'LineAnswered' && line.lineId === fact.lineId ? fact.answer : line.answer,
  );
  const hold = fact.type === 'PaymentMoved' ? fact.answer : order.hold?.answer;
  const complete = lines.every((answer) => answer === 'RESERVED') && hold === 'AUTHORIZED';
  return complete ? [{ type: 'OrderConfirmed', total: order.total }] : [];
}

const timedOut = (input: TimeoutDue, order: Order): readonly OrderFact[] =>
  order.status === 'RESERVING' && order.deadline?.deadlineId === input.deadlineId ? [rejectedBecause('TIMED_OUT')] : [];

/** What an answer, or a deadline, makes of an order that exists. Empty: nothing new. */
export function decide(input: ReservationsEvent | PaymentsEvent | TimeoutDue, order: Order): readonly OrderFact[] {
  if (input.type === 'TimeoutDue') return timedOut(input, order);
  return 'lineId' in input ? lineAnswered(input, order) : paymentAnswered(input, order);
}
