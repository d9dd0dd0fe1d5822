import { join } from 'node:path';
import { bookIdOf } from '@bookstream/schemas/ids';
import { connectSchemas } from '@bookstream/schemas/serde';
import type { EngineUrls } from '../engines/engine.ts';
import { endPool } from '../platform/end-pool.ts';
import { books, type SeedBook } from '../seed/books.ts';
import { FrontDoor } from '../seed/front-door.ts';
import { password, people } from '../seed/people.ts';
import { openAccounts } from '../users/open.ts';

/** The platform that is to be filled. */
export interface Shop {
  /** The gateway's. */
  readonly origin: string;
  readonly urls: EngineUrls;
  /** Where ids of schemas are remembered. */
  readonly dataDir: string;
}

const atOnce = 8;

/**
 * Fills an empty shop as its people would: only the accounts are made behind the front door, since nobody can register as an admin.
 * What is there already stays as it is, so it can be run again, also after a run that was cut short.
 * @returns what was done, for people
 * @throws Error that says what was not done, and the cure
 */
export async function seedThrough({ origin, urls, dataDir }: Shop, tell: (line: string) => void): Promise<string> {
  tell('accounts');
  // An account leaves an event in the outbox, and an event has a schema.
  await connectSchemas({ registryUrl: urls.REGISTRY_URL, cacheDir: join(dataDir, 'schemas') });
  await makeAccounts(urls.USERS_POSTGRES_URL);
  const admin = people.find(({ role }) => role === 'ADMIN');
  if (admin === undefined)
    throw new Error('services/seed/people.ts names no admin; no book was added. Cure: name one.');
  await fillShelves(await FrontDoor.login(origin, admin.email, password), tell);
  for (const { email, topUpMinor } of people) {
    if (topUpMinor === 0) continue;
    tell(`wallet of ${email}`);
    await openWallet(await FrontDoor.login(origin, email, password), email, topUpMinor);
  }
  return `${books.length} books, ${people.length} people`;
}

async function makeAccounts(url: string): Promise<void> {
  const { pool, accounts } = await openAccounts(url);
  try {
    for (const { email, displayName, role } of people) await accounts.ensure({ email, displayName, role, password });
  } finally {
    await endPool(pool);
  }
}

async function fillShelves(admin: FrontDoor, tell: (line: string) => void): Promise<void> {
  const rest = books.values();
  let done = 0;
  const shelve = async () => {
    for (const book of rest) {
      await addBook(admin, book);
      done += 1;
      tell(`books ${done} of ${books.length}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, shelve)); // one iterator for all: each takes the next book
}

const create = `mutation ($input: AdminBookCreateInput!) {
  adminBookCreate(input: $input) { pending userErrors { code message } }
}`;
const restock = `mutation ($input: AdminStockRestockInput!) {
  adminStockRestock(input: $input) { pending userErrors { code message } }
}`;
const topUp = `mutation ($input: WalletTopUpInput!) {
  walletTopUp(input: $input) { pending userErrors { code message } }
}`;

async function addBook(admin: FrontDoor, { copies, priceMinor, ...details }: SeedBook): Promise<void> {
  const { isbn13 } = details;
  const bookId = bookIdOf(isbn13);
  // Keys are forgotten after some days; what the shop shows is not. A book with a stock had its copies.
  const { book } = await admin.ask<{ book: { availability: object | null } | null }>(
    'query ($bookId: ID!) { book(id: $bookId) { availability { available } } }',
    { bookId },
  );
  if (book?.availability) return;
  const price = { minor: String(priceMinor), currency: 'EUR' };
  await admin.change(
    'adminBookCreate',
    create,
    { idempotencyKey: `seed-book-${isbn13}`, ...details, price },
    { accept: ['BOOK_EXISTS', 'IDEMPOTENCY_KEY_REUSED'] }, // reused: an older seed described it in other words
  );
  await admin.change(
    'adminStockRestock',
    restock,
    { idempotencyKey: `seed-stock-${isbn13}`, bookId, quantity: copies, reason: 'opening stock' },
    { again: ['UNKNOWN_BOOK'] }, // until the catalogue shows what was just added
  );
}

async function openWallet(shopper: FrontDoor, email: string, minor: number): Promise<void> {
  const { viewer } = await shopper.ask<{ viewer: { wallet: { entries: { edges: readonly object[] } } } }>(
    '{ viewer { wallet { entries(first: 1) { edges { cursor } } } } }',
  );
  if (viewer.wallet.entries.edges.length > 0) return;
  const amount = { minor: String(minor), currency: 'EUR' };
  await shopper.change('walletTopUp', topUp, { idempotencyKey: `seed-wallet-${email}`, amount });
}
