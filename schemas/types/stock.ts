// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta } from './common.ts';

/** A count found more or fewer copies. */
export interface AdjustStock {
  readonly type: 'AdjustStock';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly delta: number;
  readonly reason: string;
}

/** A sold-out book is there again. */
export interface BackInStock {
  readonly type: 'BackInStock';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
}

/** The order is confirmed: reserved copies are its own. */
export interface CommitStock {
  readonly type: 'CommitStock';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
}

/** Tell me when it is back. */
export interface JoinWaitlist {
  readonly type: 'JoinWaitlist';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** The person (UUID). */
  readonly userId: string;
}

/** Do not tell me. */
export interface LeaveWaitlist {
  readonly type: 'LeaveWaitlist';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** The person (UUID). */
  readonly userId: string;
}

/** Few copies are left. */
export interface LowStockReached {
  readonly type: 'LowStockReached';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  readonly threshold: number;
}

/** What stock shall do when there are too few copies. */
export type OnShort = 'REJECT' | 'SHRINK' | 'WAIT' | 'QUEUE';

/** Gives a reservation (or a place in the queue) back. */
export interface ReleaseStock {
  readonly type: 'ReleaseStock';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
}

/** Asks for copies for a line of an order. */
export interface ReserveStock {
  readonly type: 'ReserveStock';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** Copies. */
  readonly quantity: number;
  readonly onShort: OnShort;
}

/** Copies have come in. */
export interface Restock {
  readonly type: 'Restock';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
  readonly reason: string;
}

/** From where copies come back. */
export type ReturnFrom = 'COMMITTED' | 'SHIPPED';

/** Copies come back. */
export interface ReturnStock {
  readonly type: 'ReturnStock';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  readonly from: ReturnFrom;
}

/** Committed copies leave the house. */
export interface ShipStock {
  readonly type: 'ShipStock';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
}

/** The number on hand was corrected. */
export interface StockAdjusted {
  readonly type: 'StockAdjusted';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  readonly delta: number;
  readonly reason: string;
}

/** Copies belong to a confirmed order. */
export interface StockCommitted {
  readonly type: 'StockCommitted';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** Copies. */
  readonly quantity: number;
}

/** available = onHand - reserved - committed - safety. */
export interface StockLevel {
  readonly onHand: number;
  readonly reserved: number;
  readonly committed: number;
  readonly safety: number;
}

/** Copies set aside are free again. */
export interface StockReleased {
  readonly type: 'StockReleased';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** Copies. */
  readonly quantity: number;
}

/** Copies are set aside for a line. */
export interface StockReserved {
  readonly type: 'StockReserved';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** Copies. */
  readonly quantity: number;
}

/** Copies came in. */
export interface StockRestocked {
  readonly type: 'StockRestocked';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** Copies. */
  readonly quantity: number;
  readonly reason: string;
}

/** Copies came back. */
export interface StockReturned {
  readonly type: 'StockReturned';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** Copies. */
  readonly quantity: number;
  readonly from: ReturnFrom;
}

/** Copies left the house. */
export interface StockShipped {
  readonly type: 'StockShipped';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** Copies. */
  readonly quantity: number;
}

/** Somebody wants to be told. */
export interface WaitlistJoined {
  readonly type: 'WaitlistJoined';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** The person (UUID). */
  readonly userId: string;
  readonly position: number;
}

/** Somebody does not want to be told any more. */
export interface WaitlistLeft {
  readonly type: 'WaitlistLeft';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** The person (UUID). */
  readonly userId: string;
}

/** Somebody is told. */
export interface WaitlistServed {
  readonly type: 'WaitlistServed';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  /** Where the book stands after this event. */
  readonly level: StockLevel;
  /** The person (UUID). */
  readonly userId: string;
}

/** What stands on `stock.commands`. */
export type StockCommand = ReserveStock | ReleaseStock | CommitStock | ShipStock | ReturnStock | Restock | AdjustStock | JoinWaitlist | LeaveWaitlist;

/** What stands on `stock.events`. */
export type StockEvent = StockRestocked | StockReserved | StockReleased | StockCommitted | StockShipped | StockReturned | StockAdjusted | LowStockReached | BackInStock | WaitlistJoined | WaitlistLeft | WaitlistServed;
