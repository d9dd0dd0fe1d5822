import { lineIdOf } from '@bookstream/schemas/ids';
import { eur } from '@bookstream/schemas/money';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import type { BookState } from '@bookstream/schemas/types/books';
import { TopologyTestDriver } from '@bookstream/streams';
import { expect, test } from 'vitest';
import { ada, bookId, bookState, meta, placeOrder, topologyOf } from '../shared/test/examples.ts';
import { applicationId, build } from './topology.ts';

useLocalSchemas();

const startMs = 1_764_000_000_000;
const minute = 60_000;

/** The topology with a book for sale. */
function driven(book: BookState = bookState()) {
  const driver = new TopologyTestDriver(topologyOf(build), { applicationId, startWallClockMs: startMs });
  driver.inputTopic(topics.booksState).pipeInput(bookId, book);
  const commands = driver.inputTopic(topics.ordersCommands);
  const read = {
    events: driver.outputTopic(topics.ordersEvents),
    outcomes: driver.outputTopic(topics.commandOutcomes),
    stock: driver.outputTopic(topics.stockCommands),
    wallets: driver.outputTopic(topics.walletsCommands),
  };
  return { driver, commands, read, [Symbol.dispose]: () => driver[Symbol.dispose]() };
}

const typesOf = (records: readonly ({ readonly type: string } | null)[]): readonly (string | undefined)[] =>
  records.map((record) => record?.type);

test('one decision: the order, what it asks of stock and wallet, and the outcome', () => {
  using shop = driven();
  const order = placeOrder();
  shop.commands.pipeInput(order.orderId, order);
  const events = shop.read.events.readValues();
  expect(events).toMatchObject([
    { type: 'OrderPlaced', version: 1, orderId: order.orderId, userId: ada },
    { type: 'ReservationStarted', version: 2, deadlineAt: startMs + 5 * minute },
  ]);
  expect(shop.read.stock.readKeyValues()).toMatchObject([[bookId, { type: 'ReserveStock', onShort: 'REJECT' }]]);
  expect(shop.read.wallets.readKeyValues()).toMatchObject([[ada, { type: 'HoldFunds', amount: eur(2_400n) }]]);
  expect(shop.read.outcomes.readValues()).toMatchObject([
    { type: 'CommandAccepted', version: 2, eventIds: events.map((event) => event?.meta.eventId), replayed: false },
  ]);
});

test('CommandAccepted also when the same decision rejects the order', () => {
  using shop = driven(bookState({ withdrawn: true }));
  const order = placeOrder();
  shop.commands.pipeInput(order.orderId, order);
  expect(typesOf(shop.read.events.readValues())).toEqual(['OrderPlaced', 'OrderRejected']);
  expect(typesOf(shop.read.outcomes.readValues())).toEqual(['CommandAccepted']);
  expect([...shop.read.stock.readValues(), ...shop.read.wallets.readValues()]).toEqual([]);
});

test('prices are looked up once: a later price changes nothing', () => {
  using shop = driven();
  const order = placeOrder();
  shop.commands.pipeInput(order.orderId, order);
  shop.driver.inputTopic(topics.booksState).pipeInput(bookId, bookState({ version: 2, price: eur(9_900n) }));
  shop.commands.pipeInput(order.orderId, order);
  expect(shop.read.events.readValues()).toHaveLength(2);
});

test('a repeated command places nothing and gets its first outcome again', () => {
  using shop = driven();
  const order = placeOrder();
  shop.commands.pipeInput(order.orderId, order);
  const [first] = shop.read.outcomes.readValues();
  shop.driver.crash(); // what it remembers is in the store
  shop.commands.pipeInput(order.orderId, order);
  expect(shop.read.outcomes.readValues()).toEqual([{ ...first, replayed: true }]);
  expect(shop.read.events.readValues()).toHaveLength(2);
});

test('a repeat that the inbox has forgotten is refused with a code, and places nothing', () => {
  using shop = driven();
  const order = placeOrder();
  const day = 86_400_000;
  shop.commands.pipeInput(order.orderId, order, startMs);
  for (const days of [4, 8, 12]) {
    const later = placeOrder({}, `${days} days later`);
    shop.commands.pipeInput(later.orderId, later, startMs + days * day);
  }
  shop.read.outcomes.readValues();
  const before = shop.read.events.readValues().length;
  shop.commands.pipeInput(order.orderId, order, startMs + 12 * day);
  expect(shop.read.outcomes.readValues()).toMatchObject([{ type: 'CommandRejected', errors: [{ code: 'REFUSED' }] }]);
  expect(before).toBe(8);
  expect(shop.read.events.readValues()).toEqual([]);
});

test('an order in another currency is refused, and the next one is served', () => {
  using shop = driven();
  const [line] = placeOrder().lines;
  if (line === undefined) throw new Error('the example has a line');
  const dollars = placeOrder(
    { lines: [{ ...line, expectedUnitPrice: { amountMinor: 1n, currency: 'USD' } }] },
    'dollars',
  );
  const next = placeOrder();
  shop.commands.pipeInput(dollars.orderId, dollars);
  shop.commands.pipeInput(next.orderId, next);
  expect(shop.read.outcomes.readValues()).toMatchObject([
    { type: 'CommandRejected', errors: [{ code: 'INVALID_AMOUNT', field: ['lines', '0', 'expectedUnitPrice'] }] },
    { type: 'CommandAccepted' },
  ]);
});

test.each(['CancelOrder', 'MarkShipped'] as const)('%s is refused with a code until it can be done', (type) => {
  using shop = driven();
  const { orderId, meta: base, payloadHash } = placeOrder({}, type);
  const rest = type === 'CancelOrder' ? { type, userId: ada, reason: 'changed my mind' } : { type };
  shop.commands.pipeInput(orderId, { meta: base, payloadHash, orderId, ...rest });
  expect(shop.read.outcomes.readValues()).toMatchObject([
    { type: 'CommandRejected', errors: [{ code: 'NOT_SUPPORTED_YET' }] },
  ]);
});

test('after five minutes an unanswered order times out; what comes then is given back, across a crash', () => {
  using shop = driven();
  const order = placeOrder();
  const { orderId } = order;
  const [line] = order.lines;
  if (line === undefined) throw new Error('the example has a line');
  shop.commands.pipeInput(orderId, order);
  shop.read.stock.readValues();
  shop.read.wallets.readValues();
  shop.driver.advanceWallClock(5 * minute - 1_000);
  expect(typesOf(shop.read.events.readValues())).toEqual(['OrderPlaced', 'ReservationStarted']);
  shop.driver.crash();
  shop.driver.advanceWallClock(2_000);
  expect(shop.read.events.readValues()).toMatchObject([{ type: 'OrderRejected', reason: 'TIMED_OUT', version: 3 }]);
  shop.driver.advanceWallClock(10 * minute);

  const about = { meta: meta('late'), orderId, lineId: line.lineId, attempt: 1, bookId, quantity: 2 };
  shop.driver.inputTopic(topics.reservationsEvents).pipeInput(orderId, { type: 'LineReserved', ...about });
  const [hold] = shop.driver.outputTopic(topics.walletsCommands).readValues();
  if (hold?.type !== 'HoldFunds') throw new Error(`the order asked the wallet for ${hold?.type}`);
  const { holdId, amount } = hold;
  const authorized = {
    type: 'PaymentAuthorized',
    meta: meta('late too'),
    orderId,
    userId: ada,
    holdId,
    amount,
  } as const;
  shop.driver.inputTopic(topics.paymentsEvents).pipeInput(orderId, authorized);

  expect(typesOf(shop.read.events.readValues())).toEqual(['LineAnswered', 'PaymentMoved']);
  expect(typesOf(shop.read.stock.readValues())).toEqual(['ReleaseStock']);
  expect(typesOf(shop.read.wallets.readValues())).toEqual(['ReleaseHold']);
});

test('the deadline of an order that was decided in time is forgotten', () => {
  using shop = driven();
  const order = placeOrder({ lines: [] });
  shop.commands.pipeInput(order.orderId, order);
  const served = placeOrder({}, 'served');
  shop.commands.pipeInput(served.orderId, served);
  const [hold] = shop.read.wallets.readValues();
  if (hold?.type !== 'HoldFunds') throw new Error(`the order asked the wallet for ${hold?.type}`);
  const { holdId, amount, orderId } = hold;
  const declined = {
    type: 'PaymentDeclined',
    meta: meta('no'),
    orderId,
    userId: ada,
    holdId,
    amount,
    missing: amount,
  } as const;
  shop.driver.inputTopic(topics.paymentsEvents).pipeInput(orderId, declined);
  expect(shop.driver.getKeyValueStore('order-deadlines').all()).toEqual([]);
});

test('an answer that comes two seconds later says so', () => {
  using shop = driven();
  const order = placeOrder();
  shop.commands.pipeInput(order.orderId, order, startMs);
  shop.driver.advanceWallClock(2_000);
  const lineId = lineIdOf(order.orderId, 0);
  const about = { meta: meta('an answer', startMs), bookId, orderId: order.orderId, lineId, attempt: 1, quantity: 2 };
  shop.driver
    .inputTopic(topics.reservationsEvents)
    .pipeInput(order.orderId, { type: 'LineReserved', ...about }, startMs);
  const times = shop.read.events.readValues().map((event) => event?.meta.occurredAt);
  expect(times).toEqual([startMs, startMs, startMs + 2_000]);
});
