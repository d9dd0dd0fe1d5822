import { rejectionSentence } from '@bookstream/projections/orders/step';
import type { Money } from '@bookstream/schemas/types/common';
import type { OrderRejection } from '@bookstream/schemas/types/orders';
import type { CommandError, CommandOutcome } from '@bookstream/schemas/types/outcomes';
import type { Refusal } from '../../users/accounts.ts';
import { money } from './scalars.ts';

/** A refusal that a person can act on; `__typename` chooses its GraphQL type. */
export interface UserError {
  readonly __typename: string;
  readonly code: string;
  readonly message: string;
  readonly field: readonly string[] | null;
  readonly [more: string]: unknown;
}

export const userError = (
  type: string,
  code: string,
  message: string,
  field: readonly string[] | null = null,
  more: Readonly<Record<string, unknown>> = {},
): UserError => ({
  __typename: type,
  code,
  message,
  field,
  ...more,
});

export const invalidQuantity = (field: readonly string[], min: number, max: number): UserError =>
  userError('InvalidQuantity', 'INVALID_QUANTITY', `Give ${min} to ${max} copies; nothing was done.`, field, {
    min,
    max,
  });

export const invalidAmount = (field: readonly string[], min: Money, max: Money): UserError =>
  userError(
    'InvalidAmount',
    'INVALID_AMOUNT',
    `Give an amount of ${money(min).amount} to ${money(max).amount} ${min.currency}; nothing was done.`,
    field,
    { min: money(min), max: money(max) },
  );

export const unknownBook = (bookId: string, field: readonly string[], undone: string): UserError =>
  userError('UnknownBook', 'UNKNOWN_BOOK', `The shop does not have this book; ${undone}.`, field, { bookId });

const typeOfCode: Readonly<Record<string, string>> = {
  IDEMPOTENCY_KEY_REUSED: 'IdempotencyKeyReused',
  VERSION_CONFLICT: 'VersionConflict',
  BOOK_EXISTS: 'BookExists',
  NOT_SUPPORTED_YET: 'NotSupportedYet',
  INVALID_INPUT: 'InvalidInput',
  NOT_FOUND: 'NotFound',
  EMAIL_TAKEN: 'EmailTaken',
  WEAK_PASSWORD: 'WeakPassword',
  INVALID_CREDENTIALS: 'InvalidCredentials',
};

/** What the owner of a command refused; what has no type of its own in this payload is `Refused`, in its own words. */
const fromCommand = (error: CommandError, known: readonly string[]): UserError => {
  const { code, message, details } = error;
  const field = error.field.length === 0 ? null : ['input', ...error.field];
  const type = typeOfCode[code];
  if (type === undefined || !known.includes(type)) return userError('Refused', 'REFUSED', message, field);
  const more = type === 'VersionConflict' ? { current: Number(details.current ?? 0) } : {};
  return userError(type, code, message, field, more);
};

/** What speaks against a command, by its owner. @param known the types of refusal that the payload has */
export const errorsOf = (outcome: CommandOutcome | null, known: readonly string[]): readonly UserError[] =>
  outcome?.type === 'CommandRejected' ? outcome.errors.map((error) => fromCommand(error, known)) : [];

/** The version a read model must have reached to hold what the command did; 0 where it did nothing or is not decided yet. */
export const versionOf = (outcome: CommandOutcome | null): number =>
  outcome?.type === 'CommandAccepted' ? outcome.version : 0;

export const fromRefusal = ({ code, message, field }: Refusal): UserError =>
  userError(
    typeOfCode[code] ?? 'InvalidInput',
    code in typeOfCode ? code : 'INVALID_INPUT',
    message,
    field === null ? null : ['input', field],
  );

/** Why an order was rejected, as an error of the mutation that placed it. */
export function fromRejection(rejection: OrderRejection, bookOf: (bookId: string) => Promise<unknown>): UserError {
  const message = rejectionSentence(rejection);
  const book = () => (rejection.bookId === null ? null : bookOf(rejection.bookId));
  const nothing: Money = { amountMinor: 0n, currency: 'EUR' };
  switch (rejection.reason) {
    case 'OUT_OF_STOCK':
      return userError('InsufficientStock', 'INSUFFICIENT_STOCK', message, ['input', 'lines'], {
        book,
        requested: rejection.requested ?? 0,
        available: rejection.available ?? 0,
      });
    case 'FUNDS':
      return userError('InsufficientFunds', 'INSUFFICIENT_FUNDS', message, null, {
        missing: money(rejection.missing ?? nothing),
      });
    case 'PRICE_CHANGED':
      return userError('PriceChanged', 'PRICE_CHANGED', message, ['input', 'lines'], {
        book,
        was: money(rejection.was ?? nothing),
        now: money(rejection.now ?? nothing),
      });
    case 'UNKNOWN_BOOK':
      return userError('UnknownBook', 'UNKNOWN_BOOK', message, ['input', 'lines'], { bookId: rejection.bookId ?? '' });
    case 'BOOK_WITHDRAWN':
      return userError('BookWithdrawn', 'BOOK_WITHDRAWN', message, ['input', 'lines'], { book });
    case 'TIMED_OUT':
      return userError('OrderTimedOut', 'TIMED_OUT', message);
  }
}

/** GraphQL finds the type of a union's member by its `__typename`. */
export const resolveByTypename = { __resolveType: (error: UserError) => error.__typename };
