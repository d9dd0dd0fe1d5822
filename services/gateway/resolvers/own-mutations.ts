import { randomUUID } from 'node:crypto';
import { notificationById, unreadCount } from '@bookstream/projections/notifications/queries';
import { topics } from '@bookstream/schemas/topics';
import { callerOf } from '../access.ts';
import { untilSeen } from '../commands.ts';
import type { GatewayContext } from '../context.ts';
import { allowed, isId, type MoneyInput, wrongAmount, wrongKey } from './inputs.ts';
import { errorsOf, userError, versionOf } from './user-errors.ts';
import { walletFor } from './viewer.ts';

type Input<T> = { readonly input: T };

/** What a shopper does with their own wallet and notifications. */
export const ownMutations = {
  walletTopUp: async (
    _root: unknown,
    { input }: Input<{ idempotencyKey: string; amount: MoneyInput }>,
    context: GatewayContext,
  ) => {
    const { userId } = callerOf(context);
    const wrong = [
      ...wrongKey(input.idempotencyKey),
      ...wrongAmount(input.amount, allowed.topUp, ['input', 'amount', 'minor']),
    ];
    if (wrong.length > 0) return { wallet: null, pending: false, replayed: false, userErrors: wrong };
    const amount = { amountMinor: input.amount.minor, currency: input.amount.currency };
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
    const { row: wallet, seen } = await untilSeen(
      () => walletFor(userId, context),
      (row) => row.version >= versionOf(outcome),
    );
    return {
      wallet,
      pending: outcome === null || !seen,
      replayed: outcome?.replayed ?? false,
      userErrors: errorsOf(outcome, ['IdempotencyKeyReused', 'InvalidInput']),
    };
  },

  notificationMarkRead: async (
    _root: unknown,
    { input: { notificationId } }: Input<{ notificationId: string }>,
    context: GatewayContext,
  ) => {
    const { userId } = callerOf(context);
    const { mongo, commands } = context.services;
    const unread = () => unreadCount(mongo, userId);
    const before = isId(notificationId) ? await notificationById(mongo, userId, notificationId) : null;
    if (before === null) {
      const message = 'There is no such notification of yours; nothing was marked.';
      const error = userError('NotFound', 'NOT_FOUND', message, ['input', 'notificationId']);
      return { notification: null, unreadCount: unread, pending: false, userErrors: [error] };
    }
    const { outcome } = await commands.send(
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
    return { notification, unreadCount: unread, pending: outcome === null || !seen, userErrors };
  },

  notificationMarkAllRead: async (
    _root: unknown,
    { input }: Input<{ idempotencyKey?: string | null }>,
    context: GatewayContext,
  ) => {
    const { userId } = callerOf(context);
    const { mongo, commands } = context.services;
    const key = input.idempotencyKey ?? randomUUID();
    const wrong = wrongKey(key);
    if (wrong.length > 0) return { unreadCount: () => unreadCount(mongo, userId), pending: false, userErrors: wrong };
    const { outcome } = await commands.send(
      {
        topic: topics.notificationsCommands,
        mutation: 'notificationMarkAllRead',
        idempotencyKey: key,
        input: {},
        key: () => userId,
        command: (base) => ({ type: 'MarkAllRead' as const, ...base, userId }),
      },
      context,
      userId,
    );
    const userErrors = errorsOf(outcome, ['InvalidInput']);
    // Another one may be raised meanwhile, so this is given up soon.
    const { row, seen } = await untilSeen(
      () => unreadCount(mongo, userId),
      (count) => count === 0 || userErrors.length > 0,
      2_000,
    );
    return { unreadCount: row, pending: outcome === null || !seen, userErrors };
  },
};
