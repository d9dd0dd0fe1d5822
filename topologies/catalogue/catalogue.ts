import { bookIdOf } from '@bookstream/schemas/ids';
import { shopCurrency } from '@bookstream/schemas/money';
import type { BookState, BooksCommand, BooksEvent } from '@bookstream/schemas/types/books';
import type { CommandError } from '@bookstream/schemas/types/outcomes';
import { refusal } from '../shared/inbox.ts';

type Bare<E> = E extends unknown ? Omit<E, 'meta' | 'bookId' | 'version'> : never;
export type BookFact = Bare<BooksEvent>;

/** What a command makes of a book; or why it is refused and the book stays as it is. */
export function decide(command: BooksCommand, book: BookState | null): BookFact | CommandError {
  if ('price' in command && (command.price.currency !== shopCurrency || command.price.amountMinor < 0n)) {
    const message = `a price is in ${shopCurrency}, not below zero; nothing was changed`;
    return refusal('INVALID_AMOUNT', message, ['price']);
  }
  if ('details' in command && bookIdOf(command.details.isbn13) !== command.bookId) {
    // The id is made of the ISBN: another ISBN is another book, and one book under two ids would be sold twice.
    const message = 'this ISBN belongs to another book; nothing was changed. Add that book instead';
    return refusal('INVALID_INPUT', message, ['details', 'isbn13']);
  }
  if (command.type === 'CreateBook') {
    if (book !== null)
      return refusal('BOOK_EXISTS', `"${book.details.title}" has this ISBN already; nothing was added`, ['isbn13']);
    return { type: 'BookCreated', details: command.details, price: command.price };
  }
  if (book === null) return refusal('NOT_FOUND', 'there is no such book; nothing was changed', ['bookId']);
  if (command.expectedVersion !== null && command.expectedVersion !== book.version) {
    const message = `the book was changed by somebody else (version ${book.version}, not ${command.expectedVersion}); nothing was changed. Look again.`;
    return refusal('VERSION_CONFLICT', message, ['expectedVersion'], { current: String(book.version) });
  }
  switch (command.type) {
    case 'EditBook':
      return { type: 'BookEdited', details: command.details };
    case 'ChangePrice':
      return { type: 'PriceChanged', was: book.price, price: command.price };
    case 'WithdrawBook':
      return book.withdrawn ? refusal('REFUSED', 'the book is withdrawn already') : { type: 'BookWithdrawn' };
    case 'ReinstateBook':
      return book.withdrawn ? { type: 'BookReinstated' } : refusal('REFUSED', 'the book is for sale already');
  }
}

/** The book as an event leaves it. */
export function evolve(book: BookState | null, event: BooksEvent): BookState {
  const { meta, bookId, version } = event;
  if (event.type === 'BookCreated') {
    return { type: 'BookState', meta, bookId, version, details: event.details, price: event.price, withdrawn: false };
  }
  if (book === null) throw new Error(`${event.type} of book ${bookId}, which was never created`);
  const next = { ...book, meta, version };
  switch (event.type) {
    case 'BookEdited':
      return { ...next, details: event.details };
    case 'PriceChanged':
      return { ...next, price: event.price };
    case 'BookWithdrawn':
      return { ...next, withdrawn: true };
    case 'BookReinstated':
      return { ...next, withdrawn: false };
  }
}
