import { bookIdOf, commandIdOf, lineIdOf, orderIdOf, uuidv5 } from '@bookstream/schemas/ids';
import { eur } from '@bookstream/schemas/money';
import { payloadHashOf } from '@bookstream/schemas/payload-hash';
import { topics } from '@bookstream/schemas/topics';
import type { Meta } from '@bookstream/schemas/types/common';
import { StreamsBuilder, type Topology, TopologyTestDriver } from '@bookstream/streams';
import * as catalogue from '../catalogue/topology.ts';
import * as notifications from '../notifications/topology.ts';
import { react } from '../order-process/react.ts';
import * as orderProcess from '../order-process/topology.ts';
import * as orderView from '../order-view/topology.ts';
import { decideLine } from '../stock/stock.ts';
import * as stock from '../stock/topology.ts';
import * as wallet from '../wallet/topology.ts';
import { decideHold } from '../wallet/wallet.ts';
import { Ledger } from './ledger.ts';

/** The rules that a planted fault replaces. */
export interface Rules {
  readonly decideLine: typeof decideLine;
  readonly decideHold: typeof decideHold;
  readonly react: typeof react;
}

export const realRules: Rules = { decideLine, decideHold, react };

/** A number in [0, 1) from a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const topologyOf = (build: (builder: StreamsBuilder) => void): Topology => {
  const builder = new StreamsBuilder();
  build(builder);
  return builder.build();
};

const inputs = [
  topics.ordersCommands,
  topics.stockCommands,
  topics.walletsCommands,
  topics.reservationsEvents,
  topics.paymentsEvents,
  topics.ordersEvents,
];
const minute = 60_000;

/**
 * All topologies of the shop over one broker in memory. A seed chooses who does what and which record is delivered next (the order inside a
 * partition is kept), repeats any command or event, lets time pass, restocks and tops up.
 * @returns what is wrong: during the run, and when everything is at rest
 */
export function simulate(seed: number, rules: Rules = realRules, orderCount = 25): readonly string[] {
  const random = seeded(seed);
  const upTo = (max: number): number => Math.floor(random() * max);
  const startMs = 1_764_000_000_000;
  using driver = new TopologyTestDriver(
    {
      [catalogue.applicationId]: topologyOf(catalogue.build),
      [orderProcess.applicationId]: topologyOf((builder) => orderProcess.build(builder, rules.react)),
      [stock.applicationId]: topologyOf((builder) => stock.build(builder, rules.decideLine)),
      [wallet.applicationId]: topologyOf((builder) => wallet.build(builder, rules.decideHold)),
      [orderView.applicationId]: topologyOf(orderView.build),
      [notifications.applicationId]: topologyOf(notifications.build),
    },
    { partitions: 2, startWallClockMs: startMs, onFailure: 'fail' },
  );
  const ledger = new Ledger(driver);
  const commands = {
    orders: driver.inputTopic(topics.ordersCommands),
    stock: driver.inputTopic(topics.stockCommands),
    wallets: driver.inputTopic(topics.walletsCommands),
    books: driver.inputTopic(topics.booksCommands),
  };
  const isbns = Array.from({ length: 4 }, (_, index) => `978000000000${index}`);
  const books = isbns.map(bookIdOf);
  const people = Array.from({ length: 3 }, (_, index) =>
    uuidv5('00000000-0000-4000-8000-000000000000', 'person', seed, index),
  );
  const price = eur(700n);
  let serial = 0;

  const command = (actor: string): { meta: Meta; payloadHash: string } => {
    serial += 1;
    const commandId = commandIdOf(actor, 'simulated', String(serial));
    const meta = {
      eventId: commandId,
      commandId,
      correlationId: commandId,
      causationId: commandId,
      actor,
      occurredAt: driver.nowMs,
    };
    return { meta, payloadHash: payloadHashOf([actor, serial]) };
  };
  const some = <T>(from: readonly T[]): T => from[upTo(from.length)] as T; // never empty here

  const placeOrder = (): void => {
    const userId = some(people);
    const base = command(userId);
    const orderId = orderIdOf(base.meta.commandId);
    const wanted = [...new Set([some(books), some(books)])];
    const lines = wanted.map((bookId, index) => ({
      lineId: lineIdOf(orderId, index),
      bookId,
      quantity: 1 + upTo(3),
      expectedUnitPrice: price,
    }));
    commands.orders.send(orderId, {
      type: 'PlaceOrder',
      ...base,
      orderId,
      userId,
      lines,
      policy: 'ALL_OR_NOTHING',
      traceId: null,
    });
  };
  const restock = (): void => {
    const bookId = some(books);
    commands.stock.send(bookId, {
      type: 'Restock',
      ...command('admin'),
      bookId,
      quantity: 1 + upTo(6),
      reason: 'restock',
    });
  };
  const topUp = (): void => {
    const userId = some(people);
    commands.wallets.send(userId, {
      type: 'TopUp',
      ...command(userId),
      userId,
      amount: eur(BigInt(500 + upTo(4_000))),
    });
  };
  /** Any record that was ever written comes again, later than it should. */
  const repeat = (): void => {
    const records = driver.broker.records(some(inputs).name);
    if (records.length === 0) return;
    const { topic, partition, key, value, headers } = some(records);
    driver.broker.append([{ topic, partition, key, value, headers, timestamp: driver.nowMs }]);
  };
  const deliver = (): void => {
    driver.step((waiting) => some(waiting));
    ledger.read();
  };

  for (const isbn13 of isbns) {
    const bookId = bookIdOf(isbn13);
    const details = {
      isbn13,
      title: `Book ${isbn13}`,
      authors: [],
      description: '',
      publisher: null,
      publishedYear: null,
      language: 'en',
      pages: null,
      subjects: [],
    };
    commands.books.send(bookId, { type: 'CreateBook', ...command('admin'), bookId, details, price });
  }
  driver.run();
  for (let index = 0; index < 3; index += 1) {
    restock();
    topUp();
  }
  let placed = 0;
  for (let moves = 0; moves < orderCount * 40; moves += 1) {
    const draw = random();
    if (draw < 0.03 && placed < orderCount) {
      placeOrder();
      placed += 1;
    } else if (draw < 0.045) restock();
    else if (draw < 0.06) topUp();
    else if (draw < 0.1) repeat();
    else if (draw < 0.103) driver.advanceWallClock(upTo(4 * minute), { run: false });
    else deliver();
    if (ledger.violations.length > 0) return ledger.violations;
  }
  // No more news: what is under way comes to its end, by an answer or by its deadline.
  for (let round = 0; round < 3; round += 1) {
    while (driver.waiting().length > 0) deliver();
    driver.advanceWallClock(6 * minute, { run: false });
  }
  while (driver.waiting().length > 0) deliver();
  return [...ledger.atRest(), ...viewsThatDisagree(driver, ledger)];
}

/** orders.view must say of every order what its events say. */
function viewsThatDisagree(driver: TopologyTestDriver, ledger: Ledger): readonly string[] {
  const views = new Map(driver.outputTopic(topics.ordersView).readKeyValues());
  return [...ledger.orders].flatMap(([orderId, history]) => {
    const view = views.get(orderId);
    const end = history.some((event) => event.type === 'OrderConfirmed') ? 'CONFIRMED' : 'REJECTED';
    return view?.status === end && view.version === history.length
      ? []
      : [`view of ${orderId}: ${view?.status} ${view?.version}, events: ${end} ${history.length}`];
  });
}
