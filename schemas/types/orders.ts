// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta, Money } from './common.ts';

/** Asks to cancel an order. */
export interface CancelOrder {
  readonly type: 'CancelOrder';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  readonly reason: string;
}

/** The order is being undone. */
export interface CancellationStarted {
  readonly type: 'CancellationStarted';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly reason: string;
  readonly actor: string;
}

/** What stock said about a line. */
export type LineAnswer = 'RESERVED' | 'REJECTED' | 'QUEUED' | 'RELEASED' | 'COMMITTED' | 'SHIPPED' | 'RETURNED';

/** Stock answered for one line. */
export interface LineAnswered {
  readonly type: 'LineAnswered';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  readonly answer: LineAnswer;
  /** Copies. */
  readonly quantity: number;
  readonly available: number | null;
  readonly contended: boolean;
  readonly position: number | null;
}

/** One attempt to reserve a line. */
export interface LineAttempt {
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** Copies. */
  readonly quantity: number;
}

/** Says that the parcel has arrived. */
export interface MarkDelivered {
  readonly type: 'MarkDelivered';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The order (UUID). */
  readonly orderId: string;
}

/** Says that the parcel has left. */
export interface MarkShipped {
  readonly type: 'MarkShipped';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The order (UUID). */
  readonly orderId: string;
}

/** The order waits for stock. */
export interface OrderBackordered {
  readonly type: 'OrderBackordered';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly position: number;
}

/** The order is undone. */
export interface OrderCancelled {
  readonly type: 'OrderCancelled';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
}

/** Every line is reserved and the money is held: from here nothing can fail for business reasons. */
export interface OrderConfirmed {
  readonly type: 'OrderConfirmed';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly total: Money;
}

/** The parcel has arrived. */
export interface OrderDelivered {
  readonly type: 'OrderDelivered';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
}

/** A line with the title and price that the order was placed at. */
export interface OrderLine {
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly title: string;
  /** Copies. */
  readonly quantity: number;
  readonly unitPrice: Money;
  readonly lineTotal: Money;
}

/** The order exists; its prices are fixed here. */
export interface OrderPlaced {
  readonly type: 'OrderPlaced';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly lines: readonly OrderLine[];
  readonly total: Money;
  readonly policy: Policy;
}

/** The order ended; what it held is being given back. */
export interface OrderRejected {
  readonly type: 'OrderRejected';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly reason: RejectReason;
  /** The line of the order (UUID). */
  readonly lineId: string | null;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string | null;
  readonly requested: number | null;
  readonly available: number | null;
  readonly missing: Money | null;
  readonly was: Money | null;
  readonly now: Money | null;
}

/** Why an order was rejected, with the numbers. */
export interface OrderRejection {
  readonly reason: RejectReason;
  /** The line of the order (UUID). */
  readonly lineId: string | null;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string | null;
  readonly requested: number | null;
  readonly available: number | null;
  readonly missing: Money | null;
  readonly was: Money | null;
  readonly now: Money | null;
}

/** The parcel has left. */
export interface OrderShipped {
  readonly type: 'OrderShipped';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
}

/** A line as a reader sees it. */
export interface OrderViewLine {
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly title: string;
  /** Copies. */
  readonly quantity: number;
  readonly unitPrice: Money;
  readonly lineTotal: Money;
  readonly fulfilment: string;
}

/** The order folded from its events. */
export interface OrderView {
  readonly type: 'OrderView';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly status: string;
  readonly payment: string;
  readonly policy: Policy;
  readonly lines: readonly OrderViewLine[];
  readonly total: Money;
  readonly rejection: OrderRejection | null;
  /** Epoch ms. */
  readonly placedAt: number;
  /** Epoch ms. */
  readonly updatedAt: number;
}

/** What the wallet said. */
export type PaymentAnswer = 'AUTHORIZED' | 'DECLINED' | 'CAPTURED' | 'RELEASED' | 'REFUNDED';

/** The wallet answered. */
export interface PaymentMoved {
  readonly type: 'PaymentMoved';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly answer: PaymentAnswer;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string | null;
  /** The refund (UUID). */
  readonly refundId: string | null;
  /** What moves. */
  readonly amount: Money;
  readonly missing: Money | null;
}

/** A line as the shopper asked for it. */
export interface PlaceOrderLine {
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
  readonly expectedUnitPrice: Money;
}

/** Asks for an order. */
export interface PlaceOrder {
  readonly type: 'PlaceOrder';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  readonly lines: readonly PlaceOrderLine[];
  readonly policy: Policy;
  readonly traceId: string | null;
}

/** What an order wants when a line is short. */
export type Policy = 'ALL_OR_NOTHING' | 'SHIP_AVAILABLE' | 'BACKORDER';

/** A refund was asked of the wallet. */
export interface RefundRequested {
  readonly type: 'RefundRequested';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** The refund (UUID). */
  readonly refundId: string;
  readonly lineIds: readonly string[];
  /** What moves. */
  readonly amount: Money;
  readonly reason: string;
}

/** The refund is in the wallet. */
export interface RefundSettled {
  readonly type: 'RefundSettled';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** The refund (UUID). */
  readonly refundId: string;
  /** What moves. */
  readonly amount: Money;
}

/** Why an order ended without a delivery. */
export type RejectReason = 'OUT_OF_STOCK' | 'FUNDS' | 'PRICE_CHANGED' | 'UNKNOWN_BOOK' | 'BOOK_WITHDRAWN' | 'TIMED_OUT';

/** Asks to refund lines of a delivered order. */
export interface RequestRefund {
  readonly type: 'RequestRefund';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The refund (UUID). */
  readonly refundId: string;
  readonly lineIds: readonly string[];
  readonly reason: string;
}

/** A round of reservations, and the hold beside it, was asked for. */
export interface ReservationStarted {
  readonly type: 'ReservationStarted';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly round: number;
  readonly attempts: readonly LineAttempt[];
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string | null;
  readonly holdAmount: Money | null;
  readonly deadlineId: string | null;
  /** Epoch ms. */
  readonly deadlineAt: number | null;
}

/** A deadline of the order has passed. */
export interface TimeoutDue {
  readonly type: 'TimeoutDue';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  readonly deadlineId: string;
  /** Epoch ms. */
  readonly dueAt: number;
}

/** What stands on `orders.commands`. */
export type OrdersCommand = PlaceOrder | CancelOrder | RequestRefund | MarkShipped | MarkDelivered | TimeoutDue;

/** What stands on `orders.events`. */
export type OrdersEvent = OrderPlaced | ReservationStarted | LineAnswered | PaymentMoved | OrderConfirmed | OrderRejected | OrderBackordered | CancellationStarted | OrderCancelled | OrderShipped | OrderDelivered | RefundRequested | RefundSettled;

/** What stands on `orders.view`. */
export type OrdersView = OrderView;
