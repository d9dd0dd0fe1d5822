import type { Money } from '@bookstream/schemas/money';
import type { Meta } from '@bookstream/schemas/types/common';
import type {
  LineAnswer,
  OrderLine,
  OrderPlaced,
  OrdersEvent,
  PaymentAnswer,
  Policy,
} from '@bookstream/schemas/types/orders';

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
export type Bare<E> = E extends unknown ? Omit<E, 'meta' | 'orderId' | 'userId' | 'version'> : never;
export type OrderFact = Bare<OrdersEvent>;

/** Puts a fact in its place in the order's history. */
export const asEvent = (fact: OrderFact, meta: Meta, orderId: string, userId: string, version: number): OrdersEvent =>
  ({ ...fact, meta, orderId, userId, version }) as OrdersEvent; // a Bare<E> with what Bare took away is an E

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
