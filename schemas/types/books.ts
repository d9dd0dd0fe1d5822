// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta, Money } from './common.ts';

/** The book is in the catalogue. */
export interface BookCreated {
  readonly type: 'BookCreated';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly details: BookDetails;
  readonly price: Money;
}

/** What is printed on and in the book. */
export interface BookDetails {
  readonly isbn13: string;
  readonly title: string;
  readonly authors: readonly string[];
  readonly description: string;
  readonly publisher: string | null;
  readonly publishedYear: number | null;
  readonly language: string;
  readonly pages: number | null;
  readonly subjects: readonly string[];
}

/** The details are others. */
export interface BookEdited {
  readonly type: 'BookEdited';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly details: BookDetails;
}

/** The book is sold again. */
export interface BookReinstated {
  readonly type: 'BookReinstated';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
}

/** The book as it is now; order-process reads prices from here. */
export interface BookState {
  readonly type: 'BookState';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly details: BookDetails;
  readonly price: Money;
  readonly withdrawn: boolean;
}

/** The book is not sold any more. */
export interface BookWithdrawn {
  readonly type: 'BookWithdrawn';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
}

/** Asks for another price. */
export interface ChangePrice {
  readonly type: 'ChangePrice';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly price: Money;
  readonly expectedVersion: number | null;
}

/** Asks the catalogue to take up a book. */
export interface CreateBook {
  readonly type: 'CreateBook';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly details: BookDetails;
  readonly price: Money;
}

/** Asks for other details; refused when expectedVersion is given and is not the current one. */
export interface EditBook {
  readonly type: 'EditBook';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly details: BookDetails;
  readonly expectedVersion: number | null;
}

/** The price is another. */
export interface PriceChanged {
  readonly type: 'PriceChanged';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly was: Money;
  readonly price: Money;
}

/** Asks to sell a withdrawn book again. */
export interface ReinstateBook {
  readonly type: 'ReinstateBook';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly expectedVersion: number | null;
}

/** Asks to sell the book no more. */
export interface WithdrawBook {
  readonly type: 'WithdrawBook';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The book: uuidv5 of its ISBN-13. */
  readonly bookId: string;
  readonly expectedVersion: number | null;
}

/** What stands on `books.commands`. */
export type BooksCommand = CreateBook | EditBook | ChangePrice | WithdrawBook | ReinstateBook;

/** What stands on `books.events`. */
export type BooksEvent = BookCreated | BookEdited | PriceChanged | BookWithdrawn | BookReinstated;

/** What stands on `books.state`. */
export type BooksState = BookState;
