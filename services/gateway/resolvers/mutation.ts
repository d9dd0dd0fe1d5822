import { randomUUID } from 'node:crypto';
import { bookById } from '@bookstream/projections/catalogue/queries';
import { notificationById, unreadCount } from '@bookstream/projections/notifications/queries';
import { stockOf } from '@bookstream/projections/stock/queries';
import { bookIdOf } from '@bookstream/schemas/ids';
import { shopCurrency } from '@bookstream/schemas/money';
import { topics } from '@bookstream/schemas/topics';
import type { CommandOutcome } from '@bookstream/schemas/types/outcomes';
import type { Session } from '../../users/accounts.ts';
import { callerOf } from '../access.ts';
import { untilSeen } from '../commands.ts';
import type { GatewayContext } from '../context.ts';
import { unauthenticated } from '../errors.ts';
import { RateLimit } from '../limits.ts';
import type { Answer } from '../users-client.ts';
import { orderPlace, wrongKey } from './orders-mutation.ts';
import { isId } from './query.ts';
import { fromCommand, fromRefusal, invalidAmount, invalidQuantity, type UserError, userError } from './user-errors.ts';
import { walletFor } from './viewer.ts';

interface MoneyInput {
  readonly minor: bigint;
  readonly currency: string;
}
type Input<T> = { readonly input: T };

const leastTopUp = { amountMinor: 1n, currency: shopCurrency };
const mostTopUp = { amountMinor: 100_000_000n, currency: shopCurrency };
const mostPrice = { amountMinor: 10_000_000n, currency: shopCurrency };
const mostCopies = 100_000;

/** Wrong passwords for one address, from anywhere. */
const loginsByEmail = new RateLimit({ atOnce: 10, perMinute: 6 });

/** A login's answer; the refresh token goes into a cookie that the page's script cannot read. */
function authPayload(answer: Answer<Session>, context: GatewayContext) {
  if (!answer.ok)
    return { accessToken: null, expiresAt: null, viewer: null, userErrors: answer.refusals.map(fromRefusal) };
  const { person, accessToken, expiresAtMs, refreshToken, refreshExpiresAtMs } = answer.value;
  context.setRefreshCookie(refreshToken, refreshExpiresAtMs);
  return { accessToken, expiresAt: expiresAtMs, viewer: person, userErrors: [] };
}

const errorsOf = (outcome: CommandOutcome | null, known: readonly string[]): readonly UserError[] =>
  outcome?.type === 'CommandRejected' ? outcome.errors.map((error) => fromCommand(error, known)) : [];

const versionOf = (outcome: CommandOutcome | null): number =>
  outcome?.type === 'CommandAccepted' ? outcome.version : 0;

/** Thirteen digits, the last one right (ISO 2108). */
export function isIsbn13(text: string): boolean {
  const digits = text.replaceAll('-', '');
  if (!/^97[89]\d{10}$/.test(digits)) return false;
  const sum = [...digits].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0);
  return sum % 10 === 0;
}

export const Mutation = {
  register: async (
    _root: unknown,
    { input }: Input<{ email: string; password: string; displayName: string }>,
    context: GatewayContext,
  ) => authPayload(await context.services.users.register(input, context.trace.traceId), context),

  login: async (_root: unknown, { input }: Input<{ email: string; password: string }>, context: GatewayContext) => {
    loginsByEmail.take(input.email.toLowerCase());
    return authPayload(await context.services.users.login(input, context.trace.traceId), context);
  },

  refresh: async (_root: unknown, _args: unknown, context: GatewayContext) => {
    const none = {
      ok: false,
      refusals: [{ code: 'INVALID_CREDENTIALS', message: 'Nobody is logged in here. Log in.', field: null }],
    } as const;
    const answer =
      context.refreshToken === null
        ? none
        : await context.services.users.refresh(context.refreshToken, context.trace.traceId);
    if (!answer.ok) context.setRefreshCookie(null, 0);
    return authPayload(answer, context);
  },

  logout: async (_root: unknown, _args: unknown, context: GatewayContext) => {
    if (context.refreshToken !== null) await context.services.users.logout(context.refreshToken, context.trace.traceId);
    context.setRefreshCookie(null, 0);
    return { userErrors: [] };
  },

  profileChange: async (_root: unknown, { input }: Input<{ displayName: string }>, context: GatewayContext) => {
    if (context.token === null) throw unauthenticated();
    const answer = await context.services.users.changeProfile(context.token, input.displayName, context.trace.traceId);
    return answer.ok
      ? { viewer: answer.value, userErrors: [] }
      : { viewer: null, userErrors: answer.refusals.map(fromRefusal) };
  },

  passwordChange: async (
    _root: unknown,
    { input }: Input<{ currentPassword: string; newPassword: string }>,
    context: GatewayContext,
  ) => {
    if (context.token === null) throw unauthenticated();
    const answer = await context.services.users.changePassword(context.token, input, context.trace.traceId);
    return answer.ok
      ? { viewer: answer.value, userErrors: [] }
      : { viewer: null, userErrors: answer.refusals.map(fromRefusal) };
  },

  walletTopUp: async (
    _root: unknown,
    { input }: Input<{ idempotencyKey: string; amount: MoneyInput }>,
    context: GatewayContext,
  ) => {
    const { userId } = callerOf(context);
    const { minor, currency } = input.amount;
    const wrong = wrongKey(input.idempotencyKey);
    if (minor < leastTopUp.amountMinor || minor > mostTopUp.amountMinor || currency !== shopCurrency)
      wrong.push(invalidAmount(['amount'], leastTopUp, mostTopUp));
    if (wrong.length > 0) return { wallet: null, pending: false, replayed: false, userErrors: wrong };
    const amount = { amountMinor: minor, currency };
    const { outcome } = await context.services.commands.send(
      {
        topic: topics.walletsCommands,
        mutation: 'walletTopUp',
        idempotencyKey: input.idempotencyKey,
        input: { amount },
        key: () => userId,
        command: (base) => ({ type: 'TopUp' as const, ...base, userId, amount }),
      },
      context,
      userId,
    );
    const userErrors = errorsOf(outcome, ['IdempotencyKeyReused', 'InvalidInput']);
    const { row: wallet, seen } = await untilSeen(
      () => walletFor(userId, context),
      (row) => row.version >= versionOf(outcome),
    );
    return { wallet, pending: outcome === null || !seen, replayed: outcome?.replayed ?? false, userErrors };
  },

  orderPlace,

  notificationMarkRead: async (
    _root: unknown,
    { input }: Input<{ notificationId: string }>,
    context: GatewayContext,
  ) => {
    const { userId } = callerOf(context);
    const { notificationId } = input;
    const { mongo } = context.services;
    const { outcome } = await context.services.commands.send(
      {
        topic: topics.notificationsCommands,
        mutation: 'notificationMarkRead',
        idempotencyKey: notificationId,
        input: { notificationId },
        key: () => userId,
        command: (base) => ({ type: 'MarkRead' as const, ...base, userId, notificationId }),
      },
      context,
      userId,
    );
    const userErrors = errorsOf(outcome, ['NotFound', 'InvalidInput']);
    const { row: notification, seen } = await untilSeen(
      () => notificationById(mongo, userId, notificationId),
      (row) => userErrors.length > 0 || row?.read === true,
    );
    return {
      notification,
      unreadCount: () => unreadCount(mongo, userId),
      pending: outcome === null || !seen,
      userErrors,
    };
  },

  notificationMarkAllRead: async (
    _root: unknown,
    { input }: Input<{ idempotencyKey?: string | null }>,
    context: GatewayContext,
  ) => {
    const { userId } = callerOf(context);
    const { mongo } = context.services;
    const { outcome } = await context.services.commands.send(
      {
        topic: topics.notificationsCommands,
        mutation: 'notificationMarkAllRead',
        idempotencyKey: input.idempotencyKey ?? randomUUID(),
        input: {},
        key: () => userId,
        command: (base) => ({ type: 'MarkAllRead' as const, ...base, userId }),
      },
      context,
      userId,
    );
    const { row, seen } = await untilSeen(
      () => unreadCount(mongo, userId),
      (count) => count === 0,
      2_000,
    );
    return { unreadCount: row, pending: outcome === null || !seen, userErrors: errorsOf(outcome, ['InvalidInput']) };
  },

  adminStockRestock: async (
    _root: unknown,
    { input }: Input<{ idempotencyKey: string; bookId: string; quantity: number; reason: string }>,
    context: GatewayContext,
  ) => {
    const { userId } = callerOf(context);
    const { bookId, quantity, reason } = input;
    const wrong = wrongKey(input.idempotencyKey);
    if (quantity < 1 || quantity > mostCopies) wrong.push(invalidQuantity(['quantity'], 1, mostCopies));
    if (!isId(bookId) || (await context.loaders.book.load(bookId)) === null) {
      wrong.push(
        userError(
          'UnknownBook',
          'UNKNOWN_BOOK',
          'The shop does not have this book; nothing was restocked.',
          ['bookId'],
          { bookId },
        ),
      );
    }
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
    const wrong = wrongKey(input.idempotencyKey);
    if (!isIsbn13(input.isbn13))
      wrong.push(
        userError(
          'InvalidInput',
          'INVALID_INPUT',
          'This is no ISBN-13: thirteen digits, the last one a check digit. Nothing was added.',
          ['isbn13'],
        ),
      );
    if (input.title.trim() === '')
      wrong.push(userError('InvalidInput', 'INVALID_INPUT', 'A book has a title. Nothing was added.', ['title']));
    wrong.push(...wrongPrice(input.price));
    if (wrong.length > 0) return { book: null, pending: false, replayed: false, userErrors: wrong };
    const { idempotencyKey, isbn13, price, publisher = null, publishedYear = null, pages = null, ...printed } = input;
    const details = { ...printed, publisher, publishedYear, pages, isbn13: isbn13.replaceAll('-', '') };
    const bookId = bookIdOf(isbn13);
    const amount = { amountMinor: price.minor, currency: price.currency };
    return changeBook(context, bookId, 'adminBookCreate', idempotencyKey, { details, price: amount }, (base) => ({
      type: 'CreateBook',
      ...base,
      bookId,
      details,
      price: amount,
    }));
  },

  adminBookPriceChange: async (
    _root: unknown,
    { input }: Input<{ idempotencyKey: string; bookId: string; price: MoneyInput; expectedVersion?: number | null }>,
    context: GatewayContext,
  ) => {
    const { idempotencyKey, bookId, price, expectedVersion = null } = input;
    const wrong = [...wrongKey(idempotencyKey), ...wrongPrice(price)];
    if (!isId(bookId) || (await context.loaders.book.load(bookId)) === null) {
      wrong.push(
        userError('UnknownBook', 'UNKNOWN_BOOK', 'The shop does not have this book; nothing was changed.', ['bookId'], {
          bookId,
        }),
      );
    }
    if (wrong.length > 0) return { book: null, pending: false, replayed: false, userErrors: wrong };
    const amount = { amountMinor: price.minor, currency: price.currency };
    return changeBook(
      context,
      bookId,
      'adminBookPriceChange',
      idempotencyKey,
      { bookId, price: amount, expectedVersion },
      (base) => ({ type: 'ChangePrice', ...base, bookId, price: amount, expectedVersion }),
    );
  },
};

interface BookCreateInput {
  readonly idempotencyKey: string;
  readonly isbn13: string;
  readonly title: string;
  readonly authors: readonly string[];
  readonly description: string;
  readonly publisher?: string | null;
  readonly publishedYear?: number | null;
  readonly language: string;
  readonly pages?: number | null;
  readonly subjects: readonly string[];
  readonly price: MoneyInput;
}

const wrongPrice = ({ minor, currency }: MoneyInput): UserError[] =>
  minor < 0n || minor > mostPrice.amountMinor || currency !== shopCurrency
    ? [invalidAmount(['price'], { amountMinor: 0n, currency: shopCurrency }, mostPrice)]
    : [];

type BooksIntent = Parameters<GatewayContext['services']['commands']['send']>[0];

async function changeBook(
  context: GatewayContext,
  bookId: string,
  mutation: string,
  idempotencyKey: string,
  input: unknown,
  command: BooksIntent['command'],
) {
  const { userId } = callerOf(context);
  const { commands, postgres } = context.services;
  const intent = {
    topic: topics.booksCommands,
    mutation,
    idempotencyKey,
    input,
    key: () => bookId,
    command,
  } as BooksIntent; // its command is one of this topic
  const { outcome } = await commands.send(intent, context, userId);
  const { row: book, seen } = await untilSeen(
    () => bookById(postgres, bookId),
    (row) => (row?.version ?? 0) >= versionOf(outcome),
  );
  const userErrors = errorsOf(outcome, ['IdempotencyKeyReused', 'InvalidInput', 'VersionConflict', 'BookExists']).map(
    (error) => (error.__typename === 'BookExists' ? { ...error, book } : error),
  );
  return {
    book: userErrors.length > 0 ? null : book,
    pending: outcome === null || !seen,
    replayed: outcome?.replayed ?? false,
    userErrors,
  };
}
