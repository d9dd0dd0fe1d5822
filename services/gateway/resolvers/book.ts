import type { BookRow } from '@bookstream/projections/catalogue/projection';
import type { StockRow } from '@bookstream/projections/stock/projection';
import type { GatewayContext } from '../context.ts';
import { money } from './scalars.ts';

const fewLeft = 5;

/** Few copies count as few from 5 down. */
const availabilityOf = (row: StockRow | null) => {
  const available = Math.max(0, row?.available ?? 0);
  return { available, status: available === 0 ? 'SOLD_OUT' : available <= fewLeft ? 'FEW_LEFT' : 'IN_STOCK' };
};

export const Book = {
  id: (row: BookRow) => row.bookId,
  price: (row: BookRow) => money({ amountMinor: row.priceMinor, currency: row.currency }),
  coverUrl: (row: BookRow) => `/covers/${row.bookId}.svg?v=${row.version}`,
  availability: async (row: BookRow, _args: unknown, context: GatewayContext) =>
    availabilityOf(await context.loaders.stock.load(row.bookId)),
};
