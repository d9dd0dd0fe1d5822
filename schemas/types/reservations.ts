// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta } from './common.ts';

/** The copies of a line belong to the order. */
export interface LineCommitted {
  readonly type: 'LineCommitted';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
}

/** The line waits for copies. */
export interface LineQueued {
  readonly type: 'LineQueued';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
  readonly position: number;
}

/** There are too few copies; contended: others hold them and may give them back. */
export interface LineRejected {
  readonly type: 'LineRejected';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
  readonly available: number;
  readonly contended: boolean;
}

/** The copies of a line are free again; of 0 copies when none were set aside. */
export interface LineReleased {
  readonly type: 'LineReleased';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
}

/** The copies of a line are set aside. */
export interface LineReserved {
  readonly type: 'LineReserved';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
}

/** The copies of a line came back. */
export interface LineReturned {
  readonly type: 'LineReturned';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
}

/** The copies of a line left the house. */
export interface LineShipped {
  readonly type: 'LineShipped';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The order (UUID). */
  readonly orderId: string;
  /** The line of the order (UUID). */
  readonly lineId: string;
  /** Which attempt at this line; an answer to an older attempt is only compensated. */
  readonly attempt: number;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Copies. */
  readonly quantity: number;
}

/** What stands on `reservations.events`. */
export type ReservationsEvent = LineReserved | LineRejected | LineQueued | LineReleased | LineCommitted | LineShipped | LineReturned;
