// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta, Money } from './common.ts';

/** Takes the promised money; what is held beyond it is released. */
export interface CaptureFunds {
  readonly type: 'CaptureFunds';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
}

/** The shop has the money. */
export interface FundsCaptured {
  readonly type: 'FundsCaptured';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** What the wallet holds after this event, held money included. */
  readonly balance: Money;
  /** The part of the balance that is promised to orders. */
  readonly held: Money;
  /** The double entry of this movement: the amounts sum to zero. */
  readonly entries: readonly LedgerEntry[];
  /** The order (UUID). */
  readonly orderId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
  readonly released: Money;
}

/** Money is promised to an order. */
export interface FundsHeld {
  readonly type: 'FundsHeld';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** What the wallet holds after this event, held money included. */
  readonly balance: Money;
  /** The part of the balance that is promised to orders. */
  readonly held: Money;
  /** The double entry of this movement: the amounts sum to zero. */
  readonly entries: readonly LedgerEntry[];
  /** The order (UUID). */
  readonly orderId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
}

/** Promises money to an order. */
export interface HoldFunds {
  readonly type: 'HoldFunds';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
}

/** The promise is taken back. */
export interface HoldReleased {
  readonly type: 'HoldReleased';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** What the wallet holds after this event, held money included. */
  readonly balance: Money;
  /** The part of the balance that is promised to orders. */
  readonly held: Money;
  /** The double entry of this movement: the amounts sum to zero. */
  readonly entries: readonly LedgerEntry[];
  /** The order (UUID). */
  readonly orderId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
  /** What moves. */
  readonly amount: Money;
}

/** One side of a double entry. */
export interface LedgerEntry {
  readonly entryId: string;
  readonly account: string;
  readonly amountMinor: bigint;
}

/** Gives captured money back. */
export interface RefundFunds {
  readonly type: 'RefundFunds';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The refund (UUID). */
  readonly refundId: string;
  /** What moves. */
  readonly amount: Money;
}

/** Takes the promise back. */
export interface ReleaseHold {
  readonly type: 'ReleaseHold';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The hold (UUID): one per try to pay. */
  readonly holdId: string;
}

/** Money comes in. */
export interface TopUp {
  readonly type: 'TopUp';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The person (UUID). */
  readonly userId: string;
  /** What moves. */
  readonly amount: Money;
}

/** Captured money is back. */
export interface WalletRefunded {
  readonly type: 'WalletRefunded';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** What the wallet holds after this event, held money included. */
  readonly balance: Money;
  /** The part of the balance that is promised to orders. */
  readonly held: Money;
  /** The double entry of this movement: the amounts sum to zero. */
  readonly entries: readonly LedgerEntry[];
  /** The order (UUID). */
  readonly orderId: string;
  /** The refund (UUID). */
  readonly refundId: string;
  /** What moves. */
  readonly amount: Money;
}

/** Money came in. */
export interface WalletToppedUp {
  readonly type: 'WalletToppedUp';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** What the wallet holds after this event, held money included. */
  readonly balance: Money;
  /** The part of the balance that is promised to orders. */
  readonly held: Money;
  /** The double entry of this movement: the amounts sum to zero. */
  readonly entries: readonly LedgerEntry[];
  /** What moves. */
  readonly amount: Money;
}

/** What stands on `wallets.commands`. */
export type WalletsCommand = TopUp | HoldFunds | ReleaseHold | CaptureFunds | RefundFunds;

/** What stands on `wallets.events`. */
export type WalletsEvent = WalletToppedUp | FundsHeld | HoldReleased | FundsCaptured | WalletRefunded;
