import { eur } from '@bookstream/schemas/money';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import { TopologyTestDriver } from '@bookstream/streams';
import { expect, test } from 'vitest';
import { place } from '../order-process/decide.ts';
import { asEvent, type OrderFact } from '../order-process/order.ts';
import { ada, bookId, bookState, meta, placeOrder, topologyOf } from '../shared/test/examples.ts';
import { applicationId, build } from './topology.ts';

useLocalSchemas();

const command = placeOrder();
const { orderId } = command;
const lineId = command.lines[0]?.lineId ?? '';
const answered = { bookId, lineId, attempt: 1, quantity: 2, contended: false, position: null };
const facts: readonly OrderFact[] = [
  ...place(command, { bookOf: () => bookState(), holdId: 'h1', deadlineId: 'd1', deadlineAt: 9_000 }),
  { type: 'PaymentMoved', answer: 'AUTHORIZED', holdId: 'h1', refundId: null, amount: eur(2_400n), missing: null },
  { type: 'LineAnswered', ...answered, answer: 'REJECTED', available: 1 },
  {
    type: 'OrderRejected',
    reason: 'OUT_OF_STOCK',
    lineId,
    bookId,
    requested: 2,
    available: 1,
    missing: null,
    was: null,
    now: null,
  },
  { type: 'PaymentMoved', answer: 'RELEASED', holdId: 'h1', refundId: null, amount: eur(2_400n), missing: null },
];
const events = facts.map((fact, index) => asEvent(fact, meta(`e${index}`, 1_000 + index), orderId, ada, index + 1));

test('a row after every event, on three axes; why it ended stays', () => {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId });
  const input = driver.inputTopic(topics.ordersEvents);
  for (const event of events) input.pipeInput(orderId, event);
  const views = driver.outputTopic(topics.ordersView).readValues();
  expect(views.map((view) => [view?.version, view?.status, view?.payment, view?.lines[0]?.fulfilment])).toEqual([
    [1, 'PLACED', 'NONE', 'PENDING'],
    [2, 'RESERVING', 'NONE', 'PENDING'],
    [3, 'RESERVING', 'HELD', 'PENDING'],
    [4, 'RESERVING', 'HELD', 'REJECTED'],
    [5, 'REJECTED', 'HELD', 'REJECTED'],
    [6, 'REJECTED', 'RELEASED', 'REJECTED'],
  ]);
  expect(views.at(-1)).toMatchObject({
    rejection: { reason: 'OUT_OF_STOCK', requested: 2, available: 1 },
    placedAt: 1_000,
    updatedAt: 1_005,
    total: eur(2_400n),
  });
});

test('events that come again, also after a crash, take no row back', () => {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId });
  const input = driver.inputTopic(topics.ordersEvents);
  for (const event of events) input.pipeInput(orderId, event);
  const last = driver.outputTopic(topics.ordersView).readValues().at(-1);
  driver.crash();
  for (const event of events) input.pipeInput(orderId, event);
  expect(driver.outputTopic(topics.ordersView).readValues().at(-1)).toEqual(last);
});
