import { format } from '@bookstream/schemas/money';
import type { Money } from '@bookstream/schemas/types/common';
import type { OrderRejected, OrdersEvent, RejectReason } from '@bookstream/schemas/types/orders';

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

export type OrderStepType =
  | 'PLACED'
  | 'RESERVATION_STARTED'
  | 'LINE_ANSWERED'
  | 'PAYMENT_MOVED'
  | 'CONFIRMED'
  | 'REJECTED'
  | 'BACKORDERED'
  | 'CANCELLATION_STARTED'
  | 'CANCELLED'
  | 'SHIPPED'
  | 'DELIVERED'
  | 'REFUND_REQUESTED'
  | 'REFUND_SETTLED';

/** One thing that happened to an order; the position in its timeline is `version`. */
export interface OrderStep {
  /** `<orderId>/<version>`: the same event twice is one step. */
  readonly stepId: string;
  readonly eventId: string;
  readonly orderId: string;
  readonly userId: string;
  /** 1, 2, 3, … without a gap. */
  readonly version: number;
  readonly type: OrderStepType;
  readonly at: number;
  /** What happened, in a sentence. */
  readonly message: string;
  /** Where the order stood after it; null when it left that as it was. */
  readonly status: OrderStatus | null;
  readonly lineId: string | null;
  readonly bookId: string | null;
  readonly quantity: number | null;
  readonly answer: string | null;
  readonly amountMinor: bigint | null;
  readonly currency: string | null;
  readonly reason: RejectReason | null;
}

type Told = Pick<OrderStep, 'type' | 'message'> & Partial<OrderStep>;

const money = (amount: Money) => ({ amountMinor: amount.amountMinor, currency: amount.currency });
const copies = (quantity: number): string => (quantity === 1 ? '1 copy' : `${quantity} copies`);

/** A step for stored and live timelines alike, so that a reader who goes from one to the other sees no seam. */
export function stepOf(event: OrdersEvent): OrderStep {
  const { meta, orderId, userId, version } = event;
  return {
    stepId: `${orderId}/${String(version).padStart(6, '0')}`,
    eventId: meta.eventId,
    orderId,
    userId,
    version,
    at: meta.occurredAt,
    status: null,
    lineId: null,
    bookId: null,
    quantity: null,
    answer: null,
    amountMinor: null,
    currency: null,
    reason: null,
    ...tell(event),
  };
}

function tell(event: OrdersEvent): Told {
  switch (event.type) {
    case 'OrderPlaced': {
      const quantity = event.lines.reduce((sum, line) => sum + line.quantity, 0);
      const message = `Placed: ${copies(quantity)} for ${format(event.total)}.`;
      return { type: 'PLACED', status: 'PLACED', message, quantity, ...money(event.total) };
    }
    case 'ReservationStarted': {
      const quantity = event.attempts.reduce((sum, attempt) => sum + attempt.quantity, 0);
      const held = event.holdAmount === null ? {} : money(event.holdAmount);
      const message =
        event.holdAmount === null
          ? `Asked the stock for ${copies(quantity)}.`
          : quantity === 0
            ? `Asked the wallet for ${format(event.holdAmount)}.`
            : `Asked the stock for ${copies(quantity)} and the wallet for ${format(event.holdAmount)}.`;
      return { type: 'RESERVATION_STARTED', status: 'RESERVING', message, quantity, ...held };
    }
    case 'LineAnswered': {
      const { lineId, bookId, quantity, answer } = event;
      return { type: 'LINE_ANSWERED', message: lineSentence(event), lineId, bookId, quantity, answer };
    }
    case 'PaymentMoved':
      return { type: 'PAYMENT_MOVED', message: paymentSentence(event), answer: event.answer, ...money(event.amount) };
    case 'OrderConfirmed':
      return { type: 'CONFIRMED', status: 'CONFIRMED', message: 'Confirmed.', ...money(event.total) };
    case 'OrderRejected': {
      const { lineId, bookId, reason } = event;
      const lacking = event.missing === null ? {} : money(event.missing);
      return {
        type: 'REJECTED',
        status: 'REJECTED',
        message: rejectionSentence(event),
        lineId,
        bookId,
        reason,
        ...lacking,
      };
    }
    case 'OrderBackordered': {
      const { lineId, bookId, position } = event;
      return {
        type: 'BACKORDERED',
        status: 'BACKORDERED',
        message: `Waits for copies, at place ${position}.`,
        lineId,
        bookId,
      };
    }
    case 'CancellationStarted':
      return {
        type: 'CANCELLATION_STARTED',
        status: 'CANCELLING',
        message: 'Being cancelled; what it holds goes back.',
      };
    case 'OrderCancelled':
      return { type: 'CANCELLED', status: 'CANCELLED', message: 'Cancelled.' };
    case 'OrderShipped':
      return { type: 'SHIPPED', status: 'SHIPPED', message: 'On its way.' };
    case 'OrderDelivered':
      return { type: 'DELIVERED', status: 'DELIVERED', message: 'Delivered.' };
    case 'RefundRequested':
      return {
        type: 'REFUND_REQUESTED',
        message: `A refund of ${format(event.amount)} was asked for.`,
        ...money(event.amount),
      };
    case 'RefundSettled':
      return {
        type: 'REFUND_SETTLED',
        message: `${format(event.amount)} went back to the wallet.`,
        ...money(event.amount),
      };
  }
}

type Line = Extract<OrdersEvent, { type: 'LineAnswered' }>;

function lineSentence(event: Line): string {
  const { quantity } = event;
  switch (event.answer) {
    case 'RESERVED':
      return `${copies(quantity)} reserved.`;
    case 'REJECTED':
      return event.available === null
        ? `${copies(quantity)} could not be reserved.`
        : `${copies(quantity)} could not be reserved: ${event.available} available.`;
    case 'QUEUED':
      return event.position === null ? 'Waits for copies.' : `Waits for copies, at place ${event.position}.`;
    case 'RELEASED':
      return `${copies(quantity)} given back.`;
    case 'COMMITTED':
      return `${copies(quantity)} set aside for sending.`;
    case 'SHIPPED':
      return `${copies(quantity)} sent.`;
    case 'RETURNED':
      return `${copies(quantity)} came back.`;
  }
}

type Payment = Extract<OrdersEvent, { type: 'PaymentMoved' }>;

function paymentSentence({ answer, amount, missing }: Payment): string {
  switch (answer) {
    case 'AUTHORIZED':
      return `${format(amount)} held in the wallet.`;
    case 'DECLINED':
      return missing === null
        ? `The wallet declined ${format(amount)}.`
        : `The wallet declined ${format(amount)}: ${format(missing)} missing.`;
    case 'CAPTURED':
      return `${format(amount)} paid.`;
    case 'RELEASED':
      return `${format(amount)} in the wallet is free again.`;
    case 'REFUNDED':
      return `${format(amount)} went back to the wallet.`;
  }
}

type Rejection = Pick<OrderRejected, 'reason' | 'requested' | 'available' | 'missing' | 'was' | 'now'>;

/** Why, with the numbers and what did not happen. */
export function rejectionSentence({ reason, requested, available, missing, was, now }: Rejection): string {
  switch (reason) {
    case 'OUT_OF_STOCK':
      return requested === null || available === null
        ? 'Not enough copies; you were not charged.'
        : `${copies(requested)} asked for, ${available} available; you were not charged.`;
    case 'FUNDS':
      return missing === null
        ? 'Not enough money in the wallet; nothing was taken.'
        : `${format(missing)} missing in the wallet; nothing was taken.`;
    case 'PRICE_CHANGED':
      return was === null || now === null
        ? 'A price went up; you were not charged.'
        : `A price went from ${format(was)} to ${format(now)}; you were not charged.`;
    case 'UNKNOWN_BOOK':
      return 'The shop does not have this book; you were not charged.';
    case 'BOOK_WITHDRAWN':
      return 'A book is no longer sold; you were not charged.';
    case 'TIMED_OUT':
      return 'It was not decided in time; what it held goes back.';
  }
}
