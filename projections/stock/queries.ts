import type { Db } from 'mongodb';
import type { Page, PageArguments } from '../page.ts';
import { mongoReader } from '../sinks/mongo-live.ts';
import { mongoPage } from '../sinks/mongo-page.ts';
import { type StockRow, stock, stockRows } from './projection.ts';

const { live, visible, read } = mongoReader(stock.name, stockRows);

/** In any order; a book that was never counted is absent. */
export async function stockOf(db: Db, bookIds: readonly string[]): Promise<readonly StockRow[]> {
  const collection = await live(db);
  if (collection === null) return [];
  return (await collection.find({ _id: { $in: [...bookIds] }, ...visible }).toArray()).map(read);
}

/** Least available first: what wants restocking. @throws InvalidCursorError */
export const stockPage = (db: Db, page: PageArguments): Promise<Page<StockRow>> =>
  mongoPage(
    db,
    {
      list: 'stock',
      projection: stock.name,
      table: stockRows,
      order: ['available', '_id'],
      direction: 1,
      keyOf: (row) => [row.available, row.bookId],
      filter: {},
    },
    page,
  );
