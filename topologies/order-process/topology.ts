import { uuidv5 } from '@bookstream/schemas/ids';
import { topics } from '@bookstream/schemas/topics';
import type { BookState } from '@bookstream/schemas/types/books';
import type { OrdersEvent, PlaceOrder } from '@bookstream/schemas/types/orders';
import {
  type KeyValueStore,
  type Processor,
  type ProcessorContext,
  type ReadOnlyKeyValueStore,
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
import { decide, type OrderInput, type PersonsOrderCommand, place, placingOf } from './decide.ts';
import { asEvent, evolve, type Order, type OrderFact } from './order.ts';
import { type Demand, react } from './react.ts';

export const applicationId = 'bookstream-order-process';

const nodeName = 'order-process';
const deadlineMs = 5 * 60_000;
const lookForDeadlinesEveryMs = 1_000;

interface Deadline {
  readonly orderId: string;
  readonly deadlineId: string;
  readonly at: number;
}

const deadlineKey = ({ at, orderId }: Pick<Deadline, 'at' | 'orderId'>): string =>
  `${String(at).padStart(15, '0')}/${orderId}`;

/** Decides over orders, one after the other per order: its commands, what stock says and what the wallet says meet here. */
class OrderProcessor implements Processor<string, OrderInput, string, Routed> {
  readonly #react: typeof react;
  #context!: ProcessorContext<string, Routed>; // set by init, before the first record
  #orders!: KeyValueStore<string, Order>; // likewise
  #deadlines!: KeyValueStore<string, Deadline>; // likewise
  #books!: ReadOnlyKeyValueStore<string, BookState>; // likewise
  #inbox!: Inbox; // likewise

  constructor(reaction: typeof react) {
    this.#react = reaction;
  }

  init(context: ProcessorContext<string, Routed>): void {
    this.#context = context;
    this.#orders = context.getStateStore('orders');
    this.#deadlines = context.getStateStore('order-deadlines');
    this.#books = context.getStateStore('book-prices');
    this.#inbox = new Inbox(context as ProcessorContext<never, never>, 'order-outcomes'); // it only reads stores and schedules
    context.schedule(lookForDeadlinesEveryMs, 'wall-clock-time', (now) => this.#askForTimeouts(now));
  }

  process({ key: orderId, value: input, timestamp }: StreamRecord<string, OrderInput>): void {
    const consequences = new Consequences(input.meta, applicationId, nodeName, {
      record: timestamp,
      now: this.#context.currentSystemTimeMs(),
    });
    const order = this.#orders.get(orderId);
    if (isPersonsCommand(input)) this.#command(input, order, consequences);
    else if (order !== null) this.#write(order.orderId, order.userId, order, decide(input, order), consequences);
  }

  #command(command: PersonsOrderCommand, order: Order | null, consequences: Consequences): void {
    const repeated = this.#inbox.repeated(command, consequences);
    if (repeated !== null) {
      this.#forward({ to: 'commandOutcomes', key: command.meta.commandId, value: repeated });
      return;
    }
    const placing = placingOf(command, order);
    if ('errors' in placing) {
      const outcome = rejected(command, placing.errors, consequences);
      this.#forward({ to: 'commandOutcomes', key: command.meta.commandId, value: this.#inbox.remember(outcome) });
      return;
    }
    const { orderId, userId } = placing.command;
    const events = this.#write(orderId, userId, null, this.#place(placing.command, consequences), consequences);
    const outcome = this.#inbox.remember(accepted(command, events, consequences));
    this.#forward({ to: 'commandOutcomes', key: command.meta.commandId, value: outcome });
  }

  #place(command: PlaceOrder, consequences: Consequences): readonly OrderFact[] {
    return place(command, {
      bookOf: (bookId) => this.#books.get(bookId),
      holdId: uuidv5(command.orderId, 'hold', 1),
      deadlineId: uuidv5(command.orderId, 'deadline', 1),
      deadlineAt: consequences.recordTime + deadlineMs,
    });
  }

  /** Writes the events and what they ask of others, and keeps the order that they make. */
  #write(
    orderId: string,
    userId: string,
    before: Order | null,
    facts: readonly OrderFact[],
    consequences: Consequences,
  ): readonly OrdersEvent[] {
    let order = before;
    const events: OrdersEvent[] = [];
    const demands: Demand[] = [];
    for (const fact of facts) {
      const event = asEvent(fact, consequences.event(), orderId, userId, (order?.version ?? 0) + 1);
      order = evolve(order, event);
      events.push(event);
      demands.push(...this.#react(event, order));
    }
    if (order === null || events.length === 0) return events;
    for (const event of events) this.#forward({ to: 'ordersEvents', key: orderId, value: event });
    for (const demand of demands) this.#forward(routedDemand(demand, orderId, userId, consequences));
    this.#orders.put(orderId, order);
    this.#keepDeadline(before, order);
    return events;
  }

  #keepDeadline(before: Order | null, order: Order): void {
    const { orderId } = order;
    if (before?.deadline && order.deadline === null)
      this.#deadlines.delete(deadlineKey({ at: before.deadline.at, orderId }));
    if (order.deadline && before?.deadline?.deadlineId !== order.deadline.deadlineId) {
      this.#deadlines.put(deadlineKey({ at: order.deadline.at, orderId }), { orderId, ...order.deadline });
    }
  }

  /** A timeout is a record like any other, so that it and an answer meet in one order of arrival. */
  #askForTimeouts(now: number): void {
    for (const [key, { orderId, deadlineId, at }] of this.#deadlines.range(
      null,
      deadlineKey({ at: now, orderId: '~' }),
    )) {
      this.#deadlines.delete(key);
      const eventId = uuidv5(deadlineId, 'due', at);
      const meta = {
        eventId,
        commandId: eventId,
        correlationId: orderId,
        causationId: deadlineId,
        actor: nodeName,
        occurredAt: now,
      };
      this.#forward({
        to: 'ordersCommands',
        key: orderId,
        value: { type: 'TimeoutDue', meta, orderId, deadlineId, dueAt: at },
      });
    }
  }

  #forward(routed: Routed): void {
    this.#context.forward({ key: routed.key, value: routed });
  }
}

const isPersonsCommand = (input: OrderInput): input is PersonsOrderCommand => 'payloadHash' in input;

function routedDemand(demand: Demand, orderId: string, userId: string, consequences: Consequences): Routed {
  const meta = consequences.command();
  if ('holdId' in demand) {
    return { to: 'walletsCommands', key: userId, value: { ...demand, meta, userId, orderId } };
  }
  return { to: 'stockCommands', key: demand.bookId, value: { ...demand, meta, orderId } };
}

/**
 * The life of an order, keyed by OrderId. Co-partitioned inputs meet in one task per order; the books' prices are looked up once, when the
 * order is placed.
 * @param reaction for the simulation, which plants faults
 */
export function build(builder: StreamsBuilder, reaction: typeof react = react): void {
  builder.globalTable(topics.booksState, { store: 'book-prices', as: 'book-prices' });
  builder.addStateStore(Stores.keyValue({ name: 'orders', keySerde: Serdes.string, valueSerde: stateSerde<Order>() }));
  builder.addStateStore(
    Stores.keyValue({ name: 'order-deadlines', keySerde: Serdes.string, valueSerde: stateSerde<Deadline>() }),
  );
  builder.addStateStore(inboxStore('order-outcomes'));

  const decided = builder
    .stream(topics.ordersCommands, whole)
    .merge(builder.stream(topics.reservationsEvents, whole))
    .merge(builder.stream(topics.paymentsEvents, whole))
    .process<string, Routed>(() => new OrderProcessor(reaction), {
      as: nodeName,
      stores: ['orders', 'order-deadlines', 'order-outcomes', 'book-prices'],
    });
  route(decided, ['ordersEvents', 'stockCommands', 'walletsCommands', 'commandOutcomes', 'ordersCommands']);
}
