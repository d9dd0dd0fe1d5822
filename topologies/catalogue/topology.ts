import { topics } from '@bookstream/schemas/topics';
import type { BookState, BooksCommand, BooksEvent } from '@bookstream/schemas/types/books';
import type { CommandOutcome } from '@bookstream/schemas/types/outcomes';
import {
  type KeyValueStore,
  type Processor,
  type ProcessorContext,
  Serdes,
  Stores,
  type StreamRecord,
  type StreamsBuilder,
} from '@bookstream/streams';
import { accepted, Inbox, inboxStore, rejected } from '../shared/inbox.ts';
import { Consequences } from '../shared/meta.ts';
import { type Routed, route } from '../shared/routed.ts';
import { whole } from '../shared/whole.ts';
import { decide, evolve } from './catalogue.ts';

export const applicationId = 'bookstream-catalogue';

const nodeName = 'catalogue';

class CatalogueProcessor implements Processor<string, BooksCommand, string, Routed> {
  #context!: ProcessorContext<string, Routed>; // set by init, before the first record
  #books!: KeyValueStore<string, BookState>; // likewise
  #inbox!: Inbox; // likewise

  init(context: ProcessorContext<string, Routed>): void {
    this.#context = context;
    this.#books = context.getStateStore('books');
    this.#inbox = new Inbox(context as ProcessorContext<never, never>, 'book-outcomes'); // it only reads stores and schedules
  }

  process({ key: bookId, value: command, timestamp }: StreamRecord<string, BooksCommand>): void {
    const consequences = new Consequences(command.meta, applicationId, nodeName, {
      record: timestamp,
      now: this.#context.currentSystemTimeMs(),
    });
    const outcome =
      this.#inbox.repeated(command, consequences) ?? this.#inbox.remember(this.#decided(bookId, command, consequences));
    this.#forward({ to: 'commandOutcomes', key: command.meta.commandId, value: outcome });
  }

  #decided(bookId: string, command: BooksCommand, consequences: Consequences): CommandOutcome {
    const book = this.#books.get(bookId);
    const decision = decide(command, book);
    if ('code' in decision) return rejected(command, [decision], consequences);
    const version = (book?.version ?? 0) + 1;
    const event = { ...decision, meta: consequences.event(), bookId, version } as BooksEvent; // a bare fact with what it lacked
    const state = evolve(book, event);
    this.#books.put(bookId, state);
    this.#forward({ to: 'booksEvents', key: bookId, value: event });
    this.#forward({ to: 'booksState', key: bookId, value: state });
    return accepted(command, [event], consequences);
  }

  #forward(routed: Routed): void {
    this.#context.forward({ key: routed.key, value: routed });
  }
}

/** Owner of every book. Keyed by BookId, which is made of the ISBN: one task serialises one ISBN. */
export function build(builder: StreamsBuilder): void {
  builder.addStateStore(
    Stores.keyValue({ name: 'books', keySerde: Serdes.string, valueSerde: topics.booksState.valueSerde }),
  );
  builder.addStateStore(inboxStore('book-outcomes'));
  const decided = builder
    .stream(topics.booksCommands, whole)
    .process<string, Routed>(() => new CatalogueProcessor(), { as: nodeName, stores: ['books', 'book-outcomes'] });
  route(decided, ['booksEvents', 'booksState', 'commandOutcomes']);
}
