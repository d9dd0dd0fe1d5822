import { createHash } from 'node:crypto';
import { eur } from '@bookstream/schemas/money';
import type { BookDetails, BooksEvent } from '@bookstream/schemas/types/books';
import type { Meta } from '@bookstream/schemas/types/common';
import type { OrderPlaced, OrdersEvent, OrderView } from '@bookstream/schemas/types/orders';
import type { StockEvent } from '@bookstream/schemas/types/stock';
import type { WalletsEvent } from '@bookstream/schemas/types/wallets';

/** Events as the shop writes them, for tests; ids follow from the numbers, so that two runs make the same. */

const at = Date.UTC(2026, 10, 24, 9);

export const idOf = (...parts: readonly (string | number)[]): string => {
  const hex = createHash('sha1').update(parts.join('/')).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

export const meta = (...parts: readonly (string | number)[]): Meta => ({
  eventId: idOf('event', ...parts),
  commandId: idOf('command', ...parts),
  correlationId: idOf('correlation', ...parts),
  causationId: idOf('cause', ...parts),
  actor: 'test',
  occurredAt: at,
});

export const details = (title: string, more: Partial<BookDetails> = {}): BookDetails => ({
  isbn13: '9780141439518',
  title,
  authors: ['Jane Austen'],
  description: 'A novel.',
  publisher: null,
  publishedYear: 1813,
  language: 'en',
  pages: null,
  subjects: ['Fiction'],
  ...more,
});

export const bookCreated = (
  bookId: string,
  title: string,
  minor = 1_250n,
  more: Partial<BookDetails> = {},
): BooksEvent => ({
  type: 'BookCreated',
  meta: meta('book', bookId, 1),
  bookId,
  version: 1,
  details: details(title, more),
  price: eur(minor),
});

export const priceChanged = (bookId: string, version: number, minor: bigint): BooksEvent => ({
  type: 'PriceChanged',
  meta: meta('book', bookId, version),
  bookId,
  version,
  was: eur(1n),
  price: eur(minor),
});

const line = (orderId: string) => ({
  lineId: idOf('line', orderId),
  bookId: idOf('book', 1),
  title: 'Emma',
  quantity: 2,
  unitPrice: eur(1_250n),
  lineTotal: eur(2_500n),
});

export const orderPlaced = (orderId: string, userId: string): OrderPlaced => ({
  type: 'OrderPlaced',
  meta: meta('order', orderId, 1),
  orderId,
  userId,
  version: 1,
  lines: [line(orderId)],
  total: eur(2_500n),
  policy: 'ALL_OR_NOTHING',
});

export const orderConfirmed = (orderId: string, userId: string, version: number): OrdersEvent => ({
  type: 'OrderConfirmed',
  meta: meta('order', orderId, version),
  orderId,
  userId,
  version,
  total: eur(2_500n),
});

export const orderView = (orderId: string, userId: string, version: number, status = 'PLACED'): OrderView => ({
  type: 'OrderView',
  meta: meta('view', orderId, version),
  orderId,
  userId,
  version,
  status,
  payment: 'NONE',
  policy: 'ALL_OR_NOTHING',
  lines: [{ ...line(orderId), fulfilment: 'PENDING' }],
  total: eur(2_500n),
  rejection: null,
  placedAt: at,
  updatedAt: at + version,
});

export const toppedUp = (userId: string, version: number, minor: bigint, balance: bigint): WalletsEvent => ({
  type: 'WalletToppedUp',
  meta: meta('wallet', userId, version),
  userId,
  version,
  balance: eur(balance),
  held: eur(0n),
  entries: [],
  amount: eur(minor),
});

export const restocked = (bookId: string, version: number, quantity: number, onHand: number): StockEvent => ({
  type: 'StockRestocked',
  meta: meta('stock', bookId, version),
  bookId,
  version,
  level: { onHand, reserved: 0, committed: 0, safety: 0 },
  quantity,
  reason: 'delivery',
});
