import { topics } from '@bookstream/schemas/topics';
import type { WalletsEvent } from '@bookstream/schemas/types/wallets';
import { projection, table } from '../projection.ts';

export interface WalletRow {
  readonly userId: string;
  readonly version: number;
  /** What is held included. */
  readonly balanceMinor: bigint;
  readonly heldMinor: bigint;
  readonly currency: string;
  readonly updatedAt: number;
}

export type WalletEntryType = 'TOP_UP' | 'HOLD' | 'RELEASE' | 'CAPTURE' | 'REFUND';

/** One movement, with the wallet as it stood after it. */
export interface WalletEntryRow {
  readonly entryId: string;
  readonly userId: string;
  /** The wallet's version: 1, 2, 3, … */
  readonly version: number;
  readonly type: WalletEntryType;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly balanceMinor: bigint;
  readonly heldMinor: bigint;
  readonly orderId: string | null;
  readonly at: number;
}

export const walletRow = (row: WalletRow | null, event: WalletsEvent): WalletRow =>
  row !== null && row.version >= event.version
    ? row
    : {
        userId: event.userId,
        version: event.version,
        balanceMinor: event.balance.amountMinor,
        heldMinor: event.held.amountMinor,
        currency: event.balance.currency,
        updatedAt: event.meta.occurredAt,
      };

const entryTypes: Readonly<Record<WalletsEvent['type'], WalletEntryType>> = {
  WalletToppedUp: 'TOP_UP',
  FundsHeld: 'HOLD',
  HoldReleased: 'RELEASE',
  FundsCaptured: 'CAPTURE',
  WalletRefunded: 'REFUND',
};

export const walletEntry = (event: WalletsEvent): WalletEntryRow => ({
  entryId: event.meta.eventId,
  userId: event.userId,
  version: event.version,
  type: entryTypes[event.type],
  amountMinor: event.amount.amountMinor,
  currency: event.amount.currency,
  balanceMinor: event.balance.amountMinor,
  heldMinor: event.held.amountMinor,
  orderId: event.type === 'WalletToppedUp' ? null : event.orderId,
  at: event.meta.occurredAt,
});

export const wallets = table<WalletsEvent, WalletRow>({
  name: 'wallets',
  topic: topics.walletsEvents,
  key: 'userId',
  columns: {
    userId: 'text',
    version: 'integer',
    balanceMinor: 'bigint',
    heldMinor: 'bigint',
    currency: 'text',
    updatedAt: 'instant',
  },
  keys: (event) => [event.userId],
  fold: walletRow,
});

export const walletEntries = table<WalletsEvent, WalletEntryRow>({
  name: 'wallet_entries',
  topic: topics.walletsEvents,
  key: 'entryId',
  columns: {
    entryId: 'text',
    userId: 'text',
    version: 'integer',
    type: 'text',
    amountMinor: 'bigint',
    currency: 'text',
    balanceMinor: 'bigint',
    heldMinor: 'bigint',
    orderId: 'text?',
    at: 'instant',
  },
  keys: (event) => [event.meta.eventId],
  fold: (_row, event) => walletEntry(event),
  appendOnly: true,
  indexes: [{ name: 'user', sql: '(user_id, version desc)' }],
});

export const wallet = projection({ name: 'wallet', sink: 'postgres', tables: [wallets, walletEntries], revision: 1 });
