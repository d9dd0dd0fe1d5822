// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta, Money } from './common.ts';

/** The money of an order is held. */
export interface PaymentAuthorized {
  readonly type: 'PaymentAuthorized';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
}

/** The shop has the money of an order. */
export interface PaymentCaptured {
  readonly type: 'PaymentCaptured';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
}

/** The wallet has too little. */
export interface PaymentDeclined {
  readonly type: 'PaymentDeclined';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
  readonly missing: Money;
}

/** Money of an order is back in the wallet. */
export interface PaymentRefunded {
  readonly type: 'PaymentRefunded';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** The refund (UUID). */
  readonly refundId: string;
  /** What moves. */
  readonly amount: Money;
}

/** The hold of an order is over; of 0 when there was none. */
export interface PaymentReleased {
  readonly type: 'PaymentReleased';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The person (UUID). */
  readonly userId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
}

/** What stands on `payments.events`. */
export type PaymentsEvent = PaymentAuthorized | PaymentDeclined | PaymentCaptured | PaymentReleased | PaymentRefunded;
