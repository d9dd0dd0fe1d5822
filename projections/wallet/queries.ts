import type { Page, PageArguments } from '../page.ts';
import { keysetPage, type Queryable, rowsWhere } from '../sinks/postgres-page.ts';
import { type WalletEntryRow, type WalletRow, walletEntries, wallets } from './projection.ts';

/** Null: nothing was ever paid in, so the wallet is empty. */
export const walletOf = async (db: Queryable, userId: string): Promise<WalletRow | null> =>
  (await rowsWhere(db, wallets, 'user_id', [userId]))[0] ?? null;

/** Newest first. @throws InvalidCursorError */
export const entriesPage = (db: Queryable, userId: string, page: PageArguments): Promise<Page<WalletEntryRow>> =>
  keysetPage(
    db,
    {
      list: 'entries',
      table: walletEntries,
      order: [{ sql: 'version', cast: 'integer' }],
      direction: 'desc',
      keyOf: (entry) => [entry.version],
      where: 'user_id = $1',
      values: [userId],
    },
    page,
  );
