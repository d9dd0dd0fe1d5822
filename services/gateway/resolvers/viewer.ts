import type { NotificationRow } from '@bookstream/projections/notifications/projection';
import { notificationsPage, unreadCount } from '@bookstream/projections/notifications/queries';
import { ordersOfUser } from '@bookstream/projections/orders/queries';
import type { PageArguments } from '@bookstream/projections/page';
import type { WalletEntryRow, WalletRow } from '@bookstream/projections/wallet/projection';
import { entriesPage, walletOf } from '@bookstream/projections/wallet/queries';
import { shopCurrency } from '@bookstream/schemas/money';
import type { Person } from '../../users/accounts.ts';
import type { GatewayContext } from '../context.ts';
import { checkedPage, connection } from './connection.ts';
import { money } from './scalars.ts';

/** The empty wallet of somebody who never paid anything in. */
export const walletFor = async (userId: string, { services }: Pick<GatewayContext, 'services'>): Promise<WalletRow> =>
  (await walletOf(services.postgres, userId)) ?? {
    userId,
    version: 0,
    balanceMinor: 0n,
    heldMinor: 0n,
    currency: shopCurrency,
    updatedAt: 0,
  };

export const Viewer = {
  id: (person: Person) => person.userId,
  wallet: (person: Person, _args: unknown, context: GatewayContext) => walletFor(person.userId, context),
  orders: (person: Person, args: PageArguments, { services }: GatewayContext) =>
    connection(ordersOfUser(services.postgres, person.userId, checkedPage(args)), (row) => row),
  notifications: (person: Person, args: PageArguments, { services }: GatewayContext) =>
    connection(notificationsPage(services.mongo, person.userId, checkedPage(args)), (row) => row),
  unreadCount: (person: Person, _args: unknown, { services }: GatewayContext) =>
    unreadCount(services.mongo, person.userId),
};

export const Wallet = {
  balance: (row: WalletRow) => money({ amountMinor: row.balanceMinor, currency: row.currency }),
  held: (row: WalletRow) => money({ amountMinor: row.heldMinor, currency: row.currency }),
  available: (row: WalletRow) => money({ amountMinor: row.balanceMinor - row.heldMinor, currency: row.currency }),
  entries: (row: WalletRow, args: PageArguments, { services }: GatewayContext) =>
    connection(entriesPage(services.postgres, row.userId, checkedPage(args)), (entry) => entry),
};

export const WalletEntry = {
  id: (entry: WalletEntryRow) => entry.entryId,
  amount: (entry: WalletEntryRow) => money({ amountMinor: entry.amountMinor, currency: entry.currency }),
  balance: (entry: WalletEntryRow) => money({ amountMinor: entry.balanceMinor, currency: entry.currency }),
  held: (entry: WalletEntryRow) => money({ amountMinor: entry.heldMinor, currency: entry.currency }),
};

export const Notification = { id: (row: NotificationRow) => row.notificationId };
