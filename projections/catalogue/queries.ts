import type { Page, PageArguments } from '../page.ts';
import { type KeysetOptions, keysetPage, type Queryable, rowsWhere } from '../sinks/postgres-page.ts';
import { type BookRow, books, plainText } from './projection.ts';

export type BookSort = 'TITLE' | 'PRICE_LOW' | 'PRICE_HIGH' | 'NEWEST';

export interface BooksArguments extends PageArguments {
  /** Words, all of which begin a word of title, authors, publisher or subjects; or an ISBN. */
  readonly search?: string | null;
  readonly sort: BookSort;
  readonly withWithdrawn?: boolean;
}

type Order = Pick<KeysetOptions<BookRow>, 'order' | 'direction' | 'keyOf'>;

const id = { sql: 'book_id', cast: 'text' };
const noYear = -9_999;
const byPrice = (direction: 'asc' | 'desc'): Order => ({
  order: [{ sql: 'price_minor', cast: 'bigint' }, id],
  direction,
  keyOf: (book) => [String(book.priceMinor), book.bookId],
});

const orders: Readonly<Record<BookSort, Order>> = {
  TITLE: {
    order: [{ sql: 'title_sort', cast: 'text' }, id],
    direction: 'asc',
    keyOf: (book) => [book.titleSort, book.bookId],
  },
  PRICE_LOW: byPrice('asc'),
  PRICE_HIGH: byPrice('desc'),
  NEWEST: {
    order: [{ sql: `coalesce(published_year, ${noYear})`, cast: 'integer' }, id],
    direction: 'desc',
    keyOf: (book) => [book.publishedYear ?? noYear, book.bookId],
  },
};

/** @throws InvalidCursorError */
export function booksPage(db: Queryable, options: BooksArguments): Promise<Page<BookRow>> {
  const conditions = options.withWithdrawn === true ? ['true'] : ['not withdrawn'];
  const values: string[] = [];
  const words = plainText(options.search ?? '')
    .split(' ')
    .filter(Boolean);
  const digits = words.join('');
  if (/^97[89]\d{10}$/.test(digits)) conditions.push(`isbn13 = $${values.push(digits)}`);
  else if (words.length > 0) {
    const query = words.map((word) => `${word}:*`).join(' & ');
    conditions.push(`to_tsvector('simple', search_text) @@ to_tsquery('simple', $${values.push(query)})`);
  }
  const where = conditions.join(' and ');
  return keysetPage(
    db,
    { list: `books ${options.sort}`, table: books, ...orders[options.sort], where, values },
    options,
  );
}

export const booksByIds = (db: Queryable, bookIds: readonly string[]): Promise<readonly BookRow[]> =>
  rowsWhere(db, books, 'book_id', bookIds);

export const bookById = async (db: Queryable, bookId: string): Promise<BookRow | null> =>
  (await booksByIds(db, [bookId]))[0] ?? null;

/** @param isbn with or without hyphens */
export const bookByIsbn = async (db: Queryable, isbn: string): Promise<BookRow | null> =>
  (await rowsWhere(db, books, 'isbn13', [isbn.replaceAll('-', '')]))[0] ?? null;
