import { topics } from '@bookstream/schemas/topics';
import type { ReservationsEvent } from '@bookstream/schemas/types/reservations';
import type { StockCommand, StockEvent } from '@bookstream/schemas/types/stock';
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
import { stateSerde } from '../shared/state-serde.ts';
import { whole } from '../shared/whole.ts';
import {
  type AdminCommand,
  type Attempt,
  type Book,
  decideAdmin,
  decideLine,
  emptyBook,
  type LineCommand,
  type StockFact,
} from './stock.ts';

export const applicationId = 'bookstream-stock';

const nodeName = 'stock';

class StockProcessor implements Processor<string, StockCommand, string, Routed> {
  readonly #decideLine: typeof decideLine;
  #context!: ProcessorContext<string, Routed>; // set by init, before the first record
  #books!: KeyValueStore<string, Book>; // likewise
  #attempts!: KeyValueStore<string, Attempt>; // likewise
  #inbox!: Inbox; // likewise

  constructor(decide: typeof decideLine) {
    this.#decideLine = decide;
  }

  init(context: ProcessorContext<string, Routed>): void {
    this.#context = context;
    this.#books = context.getStateStore('stock-by-book');
    this.#attempts = context.getStateStore('stock-attempts');
    this.#inbox = new Inbox(context as ProcessorContext<never, never>, 'stock-outcomes'); // it only reads stores and schedules
  }

  process({ key: bookId, value: command, timestamp }: StreamRecord<string, StockCommand>): void {
    const consequences = new Consequences(command.meta, applicationId, nodeName, {
      record: timestamp,
      now: this.#context.currentSystemTimeMs(),
    });
    if ('payloadHash' in command) this.#admin(bookId, command, consequences);
    else this.#line(bookId, command, consequences);
  }

  #line(bookId: string, command: LineCommand, consequences: Consequences): void {
    const { orderId, lineId, attempt } = command;
    const key = `${bookId}/${orderId}/${lineId}/${attempt}`;
    const decision = this.#decideLine(command, this.#books.get(bookId) ?? emptyBook, this.#attempts.get(key));
    if (decision.event !== null) this.#write(bookId, decision.event, consequences);
    this.#attempts.put(key, decision.attempt);
    const answer = {
      ...decision.answer,
      meta: consequences.event(`answer/${decision.answer.type}`),
      bookId,
      orderId,
      lineId,
      attempt,
    } as ReservationsEvent; // a bare fact with what it lacked
    this.#forward({ to: 'reservationsEvents', key: orderId, value: answer });
  }

  #admin(bookId: string, command: AdminCommand, consequences: Consequences): void {
    const repeated = this.#inbox.repeated(command, consequences);
    if (repeated !== null) {
      this.#forward({ to: 'commandOutcomes', key: command.meta.commandId, value: repeated });
      return;
    }
    const decision = decideAdmin(command, this.#books.get(bookId) ?? emptyBook);
    const outcome =
      'code' in decision
        ? rejected(command, [decision], consequences)
        : accepted(command, [this.#write(bookId, decision, consequences)], consequences);
    this.#forward({ to: 'commandOutcomes', key: command.meta.commandId, value: this.#inbox.remember(outcome) });
  }

  #write(bookId: string, fact: StockFact, consequences: Consequences): StockEvent {
    const version = (this.#books.get(bookId)?.version ?? 0) + 1;
    const event = { ...fact, meta: consequences.event(), bookId, version } as StockEvent; // a bare fact with what it lacked
    this.#books.put(bookId, { level: event.level, version });
    this.#forward({ to: 'stockEvents', key: bookId, value: event });
    return event;
  }

  #forward(routed: Routed): void {
    this.#context.forward({ key: routed.key, value: routed });
  }
}

/**
 * Answers every step of every line. Keyed by BookId: one book, one task, so no two orders race for a copy. The ledger (stock.events, by book) and
 * the same facts re-keyed for the order (reservations.events) are written in one transaction.
 * @param decide for the simulation, which plants faults
 */
export function build(builder: StreamsBuilder, decide: typeof decideLine = decideLine): void {
  builder.addStateStore(
    Stores.keyValue({ name: 'stock-by-book', keySerde: Serdes.string, valueSerde: stateSerde<Book>() }),
  );
  builder.addStateStore(
    Stores.keyValue({ name: 'stock-attempts', keySerde: Serdes.string, valueSerde: stateSerde<Attempt>() }),
  );
  builder.addStateStore(inboxStore('stock-outcomes'));
  const decided = builder
    .stream(topics.stockCommands, whole)
    .process<string, Routed>(() => new StockProcessor(decide), {
      as: nodeName,
      stores: ['stock-by-book', 'stock-attempts', 'stock-outcomes'],
    });
  route(decided, ['stockEvents', 'reservationsEvents', 'commandOutcomes']);
}
