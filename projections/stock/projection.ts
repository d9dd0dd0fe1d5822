import { topics } from '@bookstream/schemas/topics';
import type { StockEvent } from '@bookstream/schemas/types/stock';
import { projection, table } from '../projection.ts';

export interface StockRow {
  readonly bookId: string;
  readonly version: number;
  readonly onHand: number;
  readonly reserved: number;
  readonly committed: number;
  readonly safety: number;
  /** What can be bought now: onHand − reserved − committed − safety. */
  readonly available: number;
  /** Shoppers who asked to be told when it is back. */
  readonly waiting: number;
  readonly updatedAt: number;
}

export function stockRow(row: StockRow | null, event: StockEvent): StockRow {
  const { bookId, version } = event;
  const { onHand, reserved, committed, safety } = event.level;
  const waiting = Math.max(0, (row?.waiting ?? 0) + (waitlist[event.type] ?? 0));
  const available = onHand - reserved - committed - safety;
  return { bookId, version, onHand, reserved, committed, safety, available, waiting, updatedAt: event.meta.occurredAt };
}

const waitlist: Partial<Record<StockEvent['type'], number>> = {
  WaitlistJoined: 1,
  WaitlistLeft: -1,
  WaitlistServed: -1,
};

export const stockRows = table<StockEvent, StockRow>({
  name: 'stock',
  topic: topics.stockEvents,
  key: 'bookId',
  columns: {
    bookId: 'text',
    version: 'integer',
    onHand: 'integer',
    reserved: 'integer',
    committed: 'integer',
    safety: 'integer',
    available: 'integer',
    waiting: 'integer',
    updatedAt: 'instant',
  },
  keys: (event) => [event.bookId],
  fold: stockRow,
  indexes: [{ name: 'available', fields: { available: 1 } }],
});

export const stock = projection({ name: 'stock', sink: 'mongo', tables: [stockRows], revision: 1 });
