import { topics } from '@bookstream/schemas/topics';
import type { BookDetails, BooksEvent } from '@bookstream/schemas/types/books';
import type { Money } from '@bookstream/schemas/types/common';
import { projection, table } from '../projection.ts';

export interface BookRow {
  readonly bookId: string;
  readonly version: number;
  readonly isbn13: string;
  readonly title: string;
  readonly authors: readonly string[];
  readonly description: string;
  readonly publisher: string | null;
  readonly publishedYear: number | null;
  readonly language: string;
  readonly pages: number | null;
  readonly subjects: readonly string[];
  readonly priceMinor: bigint;
  readonly currency: string;
  readonly withdrawn: boolean;
  /** Title without case and accents. */
  readonly titleSort: string;
  /** What a search looks through, without case and accents. */
  readonly searchText: string;
  readonly updatedAt: number;
}

/** Without case, accents and what is no letter or digit; one blank between words. The same for what is searched and what is searched for. */
export const plainText = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();

const printed = (details: BookDetails) => ({
  ...details,
  titleSort: plainText(details.title),
  searchText: plainText(
    [details.title, ...details.authors, details.publisher ?? '', ...details.subjects, details.isbn13].join(' '),
  ),
});

const priced = (price: Money) => ({ priceMinor: price.amountMinor, currency: price.currency });

export function bookRow(row: BookRow | null, event: BooksEvent): BookRow | null {
  const { bookId, version } = event;
  const seen = { version, updatedAt: event.meta.occurredAt };
  if (event.type === 'BookCreated') {
    return { bookId, ...printed(event.details), ...priced(event.price), withdrawn: false, ...seen };
  }
  if (row === null) throw new Error(`${event.type} of book ${bookId}, which was never created`);
  switch (event.type) {
    case 'BookEdited':
      return { ...row, ...printed(event.details), ...seen };
    case 'PriceChanged':
      return { ...row, ...priced(event.price), ...seen };
    case 'BookWithdrawn':
      return { ...row, withdrawn: true, ...seen };
    case 'BookReinstated':
      return { ...row, withdrawn: false, ...seen };
  }
}

export const books = table<BooksEvent, BookRow>({
  name: 'books',
  topic: topics.booksEvents,
  key: 'bookId',
  columns: {
    bookId: 'text',
    version: 'integer',
    isbn13: 'text',
    title: 'text',
    authors: 'texts',
    description: 'text',
    publisher: 'text?',
    publishedYear: 'integer?',
    language: 'text',
    pages: 'integer?',
    subjects: 'texts',
    priceMinor: 'bigint',
    currency: 'text',
    withdrawn: 'boolean',
    titleSort: 'text',
    searchText: 'text',
    updatedAt: 'instant',
  },
  keys: (event) => [event.bookId],
  fold: bookRow,
  indexes: [
    { name: 'isbn13', sql: '(isbn13)' },
    { name: 'title', sql: '(title_sort, book_id)' },
    { name: 'price', sql: '(price_minor, book_id)' },
    { name: 'year', sql: '((coalesce(published_year, -9999)), book_id)' },
    { name: 'search', sql: `using gin (to_tsvector('simple', search_text))` },
  ],
});

export const catalogue = projection({ name: 'catalogue', sink: 'postgres', tables: [books], revision: 1 });
