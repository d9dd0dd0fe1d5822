import { add, compare, type Money, multiply, zero } from '@bookstream/schemas/money';
import type { BookState } from '@bookstream/schemas/types/books';
import type { Meta } from '@bookstream/schemas/types/common';
import type {
  LineAnswer,
  OrderLine,
  OrderPlaced,
  OrdersCommand,
  OrdersEvent,
  PaymentAnswer,
  PlaceOrder,
  Policy,
  RejectReason,
  TimeoutDue,
} from '@bookstream/schemas/types/orders';
import type { PaymentsEvent } from '@bookstream/schemas/types/payments';
import type { ReservationsEvent } from '@bookstream/schemas/types/reservations';

export type OrderStatus =
  | 'PLACED'
  | 'RESERVING'
  | 'BACKORDERED'
  | 'CONFIRMED'
  | 'SHIPPED'
  | 'DELIVERED'
  | 'REJECTED'
  | 'CANCELLING'
  | 'CANCELLED';
export type PaymentStatus = 'NONE' | 'HELD' | 'CAPTURED' | 'RELEASED' | 'PART_REFUNDED' | 'REFUNDED';

export interface LineState extends OrderLine {
  readonly attempt: number;
  /** What stock said last about this attempt; ASKED until it has answered, NONE before it was asked. */
  readonly answer: 'NONE' | 'ASKED' | LineAnswer;
}

/** An order as its events make it. Three axes: the order, its payment, each line. */
export interface Order {
  readonly orderId: string;
  readonly userId: string;
  readonly version: number;
  readonly status: OrderStatus;
  readonly payment: PaymentStatus;
  readonly policy: Policy;
  readonly lines: readonly LineState[];
  readonly total: Money;
  readonly hold: { readonly holdId: string; readonly answer: 'ASKED' | PaymentAnswer } | null;
  readonly deadline: { readonly deadlineId: string; readonly at: number } | null;
}

/** An event before it has its place: meta, order, person and version are put on by the topology. */
type Bare<E> = E extends unknown ? Omit<E, 'meta' | 'orderId' | 'userId' | 'version'> : never;
export type OrderFact = Bare<OrdersEvent>;
export type OrderInput = OrdersCommand | ReservationsEvent | PaymentsEvent;

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

const paymentStatus: Readonly<Record<PaymentAnswer, PaymentStatus | null>> = {
  AUTHORIZED: 'HELD',
  DECLINED: null,
  CAPTURED: 'CAPTURED',
  RELEASED: 'RELEASED',
  REFUNDED: 'REFUNDED',
};

const placedOrder = (event: OrderPlaced): Order => ({
  orderId: event.orderId,
  userId: event.userId,
  version: event.version,
  status: 'PLACED',
  payment: 'NONE',
  policy: event.policy,
  lines: event.lines.map((line) => ({ ...line, attempt: 0, answer: 'NONE' })),
  total: event.total,
  hold: null,
  deadline: null,
});

/** What an event changes. The state is always refolded from events, never decided again. */
export function evolve(order: Order | null, event: OrdersEvent): Order {
  if (event.type === 'OrderPlaced') return placedOrder(event);
  if (order === null) throw new Error(`${event.type} of order ${event.orderId}, which was never placed`);
  const next = { ...order, version: event.version };
  switch (event.type) {
    case 'ReservationStarted':
      return {
        ...next,
        status: 'RESERVING',
        lines: order.lines.map((line) => {
          const asked = event.attempts.find((attempt) => attempt.lineId === line.lineId);
          return asked === undefined ? line : { ...line, attempt: asked.attempt, answer: 'ASKED' };
        }),
        hold: event.holdId === null ? order.hold : { holdId: event.holdId, answer: 'ASKED' },
        deadline: event.deadlineId === null ? null : { deadlineId: event.deadlineId, at: event.deadlineAt ?? 0 },
      };
    case 'LineAnswered':
      return {
        ...next,
        lines: order.lines.map((line) => (line.lineId === event.lineId ? { ...line, answer: event.answer } : line)),
      };
    case 'PaymentMoved':
      return {
        ...next,
        payment: paymentStatus[event.answer] ?? order.payment,
        hold: order.hold === null ? null : { ...order.hold, answer: event.answer },
      };
    case 'OrderConfirmed':
      return { ...next, status: 'CONFIRMED', deadline: null };
    case 'OrderRejected':
      return { ...next, status: 'REJECTED', deadline: null };
    case 'OrderBackordered':
      return { ...next, status: 'BACKORDERED' };
    case 'CancellationStarted':
      return { ...next, status: 'CANCELLING' };
    case 'OrderCancelled':
      return { ...next, status: 'CANCELLED' };
    case 'OrderShipped':
      return { ...next, status: 'SHIPPED' };
    case 'OrderDelivered':
      return { ...next, status: 'DELIVERED' };
    case 'RefundRequested':
      return next;
    case 'RefundSettled':
      return { ...next, payment: 'REFUNDED' };
  }
}

/** A command before it has its meta. */
export type Demand =
  | {
      readonly type: 'ReserveStock';
      readonly bookId: string;
      readonly lineId: string;
      readonly attempt: number;
      readonly quantity: number;
      readonly onShort: 'REJECT';
    }
  | {
      readonly type: 'ReleaseStock' | 'CommitStock';
      readonly bookId: string;
      readonly lineId: string;
      readonly attempt: number;
    }
  | { readonly type: 'HoldFunds' | 'CaptureFunds'; readonly holdId: string; readonly amount: Money }
  | { readonly type: 'ReleaseHold'; readonly holdId: string };

const ended = (order: Order): boolean => order.status === 'REJECTED' || order.status === 'CANCELLED';

/**
 * What an event asks of stock and wallet. Compensation is data: a reservation or a hold that arrives after the order has ended is given back
 * at once, by the same rule whatever ended it.
 * @param order as the event has left it
 */
export function react(event: OrdersEvent, order: Order): readonly Demand[] {
  switch (event.type) {
    case 'ReservationStarted':
      return [
        ...event.attempts.map((attempt): Demand => ({ type: 'ReserveStock', ...attempt, onShort: 'REJECT' })),
        ...(event.holdId === null || event.holdAmount === null
          ? []
          : [{ type: 'HoldFunds', holdId: event.holdId, amount: event.holdAmount } as const]),
      ];
    case 'LineAnswered':
      return ended(order) && event.answer === 'RESERVED' ? [release(event)] : [];
    case 'PaymentMoved':
      return ended(order) && event.answer === 'AUTHORIZED' && event.holdId !== null
        ? [{ type: 'ReleaseHold', holdId: event.holdId }]
        : [];
    case 'OrderConfirmed':
      return [
        ...order.lines.map(({ bookId, lineId, attempt }): Demand => ({ type: 'CommitStock', bookId, lineId, attempt })),
        ...(order.hold === null
          ? []
          : [{ type: 'CaptureFunds', holdId: order.hold.holdId, amount: order.total } as const]),
      ];
    case 'OrderRejected':
      return [
        ...order.lines.filter((line) => line.answer === 'RESERVED').map(release),
        ...(order.hold?.answer === 'AUTHORIZED' ? [{ type: 'ReleaseHold', holdId: order.hold.holdId } as const] : []),
      ];
    default:
      return [];
  }
}

const release = ({
  bookId,
  lineId,
  attempt,
}: {
  readonly bookId: string;
  readonly lineId: string;
  readonly attempt: number;
}): Demand => ({
  type: 'ReleaseStock',
  bookId,
  lineId,
  attempt,
});

/** Puts a fact in its place in the order's history. */
export const asEvent = (fact: OrderFact, meta: Meta, orderId: string, userId: string, version: number): OrdersEvent =>
  ({ ...fact, meta, orderId, userId, version }) as OrdersEvent; // a Bare<E> with what Bare took away is an E
