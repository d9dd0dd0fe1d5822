import { bookById } from '@bookstream/projections/catalogue/queries';
import { stockOf } from '@bookstream/projections/stock/queries';
import { bookIdOf } from '@bookstream/schemas/ids';
import { topics } from '@bookstream/schemas/topics';
import { callerOf } from '../access.ts';
import { type Intent, untilSeen } from '../commands.ts';
import type { GatewayContext } from '../context.ts';
import {
  allowed,
  type BookCreateInput,
  isId,
  type MoneyInput,
  wrongAmount,
  wrongBook,
  wrongKey,
  wrongQuantity,
  wrongText,
} from './inputs.ts';
import { errorsOf, type UserError, unknownBook, versionOf } from './user-errors.ts';

type Input<T> = { readonly input: T };
type BooksCommand = Parameters<typeof topics.booksCommands.valueSerde.serialize>[1];

async function wrongBookId(bookId: string, { loaders }: GatewayContext, undone: string): Promise<UserError[]> {
  const book = isId(bookId) ? await loaders.book.load(bookId) : null;
  return book === null ? [unknownBook(bookId, ['input', 'bookId'], undone)] : [];
}

/** What only shop admins do. */
export const adminMutations = {
  adminStockRestock: async (
    _root: unknown,
    { input }: Input<{ idempotencyKey: string; bookId: string; quantity: number; reason: string }>,
    context: GatewayContext,
  ) => {
    const { userId } = callerOf(context);
    const { bookId, quantity, reason } = input;
    const wrong = [
      ...wrongKey(input.idempotencyKey),
      ...wrongQuantity(quantity, allowed.restock, ['input', 'quantity']),
      ...wrongText(reason, { least: 1, most: 200 }, ['input', 'reason']),
      ...(await wrongBookId(bookId, context, 'nothing was restocked')),
    ];
    if (wrong.length > 0) return { stock: null, pending: false, replayed: false, userErrors: wrong };
    const { outcome } = await context.services.commands.send(
      {
        topic: topics.stockCommands,
        mutation: 'adminStockRestock',
        idempotencyKey: input.idempotencyKey,
        input: { bookId, quantity, reason },
        key: () => bookId,
        command: (base) => ({ type: 'Restock' as const, ...base, bookId, quantity, reason }),
      },
      context,
      userId,
    );
    const read = async () => (await stockOf(context.services.mongo, [bookId]))[0] ?? null;
    const { row: stock, seen } = await untilSeen(read, (row) => (row?.version ?? 0) >= versionOf(outcome));
    return {
      stock,
      pending: outcome === null || !seen,
      replayed: outcome?.replayed ?? false,
      userErrors: errorsOf(outcome, ['IdempotencyKeyReused', 'InvalidInput']),
    };
  },

  adminBookCreate: async (_root: unknown, { input }: Input<BookCreateInput>, context: GatewayContext) => {
    const wrong = wrongBook(input);
    if (wrong.length > 0) return { book: null, pending: false, replayed: false, userErrors: wrong };
    const { idempotencyKey, price, publisher = null, publishedYear = null, pages = null, ...printed } = input;
    const details = { ...printed, publisher, publishedYear, pages, isbn13: input.isbn13.replaceAll('-', '') };
    const bookId = bookIdOf(details.isbn13);
    const amount = { amountMinor: price.minor, currency: price.currency };
    return changeBook(context, bookId, {
      mutation: 'adminBookCreate',
      idempotencyKey,
      input: { details, price: amount },
      command: (base) => ({ type: 'CreateBook', ...base, bookId, details, price: amount }),
    });
  },

  adminBookPriceChange: async (
    _root: unknown,
    { input }: Input<{ idempotencyKey: string; bookId: string; price: MoneyInput; expectedVersion?: number | null }>,
    context: GatewayContext,
  ) => {
    const { idempotencyKey, bookId, price, expectedVersion = null } = input;
    const wrong = [
      ...wrongKey(idempotencyKey),
      ...wrongAmount(price, allowed.price, ['input', 'price']),
      ...(await wrongBookId(bookId, context, 'nothing was changed')),
    ];
    if (wrong.length > 0) return { book: null, pending: false, replayed: false, userErrors: wrong };
    const amount = { amountMinor: price.minor, currency: price.currency };
    return changeBook(context, bookId, {
      mutation: 'adminBookPriceChange',
      idempotencyKey,
      input: { bookId, price: amount, expectedVersion },
      command: (base) => ({ type: 'ChangePrice', ...base, bookId, price: amount, expectedVersion }),
    });
  },
};

async function changeBook(
  context: GatewayContext,
  bookId: string,
  intent: Omit<Intent<BooksCommand>, 'topic' | 'key'>,
) {
  const { userId } = callerOf(context);
  const { commands, postgres } = context.services;
  const { outcome } = await commands.send(
    { topic: topics.booksCommands, key: () => bookId, ...intent },
    context,
    userId,
  );
  const { row: book, seen } = await untilSeen(
    () => bookById(postgres, bookId),
    (row) => (row?.version ?? 0) >= versionOf(outcome),
  );
  const known = ['IdempotencyKeyReused', 'InvalidInput', 'VersionConflict', 'BookExists'];
  const userErrors = errorsOf(outcome, known).map((error) =>
    error.__typename === 'BookExists' ? { ...error, book } : error,
  );
  return {
    book: userErrors.length > 0 ? null : book,
    pending: outcome === null || !seen,
    replayed: outcome?.replayed ?? false,
    userErrors,
  };
}
