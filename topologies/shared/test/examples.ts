import { bookIdOf, commandIdOf, lineIdOf, orderIdOf, uuidv5 } from '@bookstream/schemas/ids';
import { eur } from '@bookstream/schemas/money';
import { payloadHashOf } from '@bookstream/schemas/payload-hash';
import type { BookDetails, BookState } from '@bookstream/schemas/types/books';
import type { Meta } from '@bookstream/schemas/types/common';
import type { PlaceOrder } from '@bookstream/schemas/types/orders';
import { StreamsBuilder, type Topology } from '@bookstream/streams';

export const isbn13 = '9780140449136';
export const bookId = bookIdOf(isbn13);
export const otherBookId = bookIdOf('9780141439518');
export const ada = 'ada';

export const topologyOf = (build: (builder: StreamsBuilder) => void): Topology => {
  const builder = new StreamsBuilder();
  build(builder);
  return builder.build();
};

/** The id of what a test calls by a name: ids are made of ids, so they must be such. */
export const idOf = (name: string): string => uuidv5('00000000-0000-4000-8000-000000000000', name);

const metaOf = (commandId: string, occurredAt: number): Meta => ({
  eventId: commandId,
  commandId,
  correlationId: commandId,
  causationId: commandId,
  actor: ada,
  occurredAt,
});

/** As a command has it: the eventId is the commandId. */
export const meta = (name = 'a command', occurredAt = 1_000): Meta => metaOf(idOf(name), occurredAt);

/** What every command of a person carries. */
export const asked = (key: string, input: unknown = key): { meta: Meta; payloadHash: string } => ({
  meta: metaOf(commandIdOf(ada, 'test', key), 1_000),
  payloadHash: payloadHashOf(input),
});

export const details: BookDetails = {
  isbn13,
  title: 'Crime and Punishment',
  authors: ['Fyodor Dostoevsky'],
  description: '',
  publisher: null,
  publishedYear: 1866,
  language: 'en',
  pages: null,
  subjects: [],
};

export const bookState = (changes: Partial<BookState> = {}): BookState => ({
  type: 'BookState',
  meta: meta('a-book'),
  bookId,
  version: 1,
  details,
  price: eur(1_200n),
  withdrawn: false,
  ...changes,
});

/** Two copies of one book at €12.00, unless told otherwise. */
export function placeOrder(changes: Partial<PlaceOrder> = {}, key = 'an-order'): PlaceOrder {
  const base = asked(key);
  const orderId = orderIdOf(base.meta.commandId);
  return {
    type: 'PlaceOrder',
    ...base,
    orderId,
    userId: ada,
    lines: [{ lineId: lineIdOf(orderId, 0), bookId, quantity: 2, expectedUnitPrice: eur(1_200n) }],
    policy: 'ALL_OR_NOTHING',
    traceId: null,
    ...changes,
  };
}
