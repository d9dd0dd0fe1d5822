import { eur } from '@bookstream/schemas/money';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import type { NotificationsCommand } from '@bookstream/schemas/types/notifications';
import type { OrdersEvent } from '@bookstream/schemas/types/orders';
import { TopologyTestDriver } from '@bookstream/streams';
import { describe, expect, test } from 'vitest';
import { ada, asked, bookId, meta, topologyOf } from '../shared/test/examples.ts';
import { noticeOf } from './notifications.ts';
import { applicationId, build } from './topology.ts';

useLocalSchemas();

type Rejected = Extract<OrdersEvent, { type: 'OrderRejected' }>;

const orderId = '7d444840-9dc0-11d1-b245-5ffdce74fad2';
const about = (cause: string) => ({ meta: meta(cause), orderId, userId: ada, version: 5 });
const confirmed: OrdersEvent = { type: 'OrderConfirmed', ...about('confirmed'), total: eur(2_400n) };
const rejected = (reason: Rejected['reason'], numbers: Partial<Rejected> = {}): Rejected => ({
  type: 'OrderRejected',
  ...about(`rejected ${reason}`),
  reason,
  lineId: null,
  bookId: null,
  requested: null,
  available: null,
  missing: null,
  was: null,
  now: null,
  ...numbers,
});

describe('in words, with the numbers', () => {
  test.each([
    [rejected('OUT_OF_STOCK', { bookId, requested: 3, available: 1 }), /3 copies.* there is 1 left/],
    [rejected('OUT_OF_STOCK', { bookId, requested: 1, available: 0 }), /1 copy,.* there are 0 left/],
    [rejected('FUNDS', { missing: eur(940n) }), /€9\.40 short/],
    [rejected('PRICE_CHANGED', { was: eur(1_200n), now: eur(1_300n) }), /€13\.00 now, not €12\.00/],
    [rejected('UNKNOWN_BOOK'), /not in the shop/],
    [rejected('BOOK_WITHDRAWN'), /not sold any more/],
    [rejected('TIMED_OUT'), /took too long/],
  ])('%#: why it was rejected, and that nothing was paid', (event, words) => {
    expect(noticeOf(event)?.body).toMatch(words);
    expect(noticeOf(event)?.body).toContain('Nothing was paid');
  });

  test('what was paid', () => {
    expect(noticeOf(confirmed)).toMatchObject({ kind: 'ORDER_CONFIRMED', body: '€24.00 was paid from your wallet.' });
  });

  test('a step on the way is not worth telling', () => {
    expect(noticeOf({ type: 'OrderShipped', ...about('shipped') })).toBeNull();
  });
});

test('outcomes reach the person, once each and in one numbered history with what was read', () => {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId, partitions: 3 });
  const orders = driver.inputTopic(topics.ordersEvents);
  const commands = driver.inputTopic(topics.notificationsCommands);
  const told = driver.outputTopic(topics.notificationsEvents);
  for (const event of [confirmed, rejected('TIMED_OUT'), confirmed]) orders.pipeInput(orderId, event);
  driver.crash();
  orders.pipeInput(orderId, confirmed);
  const raised = told.readKeyValues();
  expect(raised).toMatchObject([
    [ada, { type: 'NotificationRaised', version: 1, orderId, kind: 'ORDER_CONFIRMED' }],
    [ada, { type: 'NotificationRaised', version: 2, orderId, kind: 'ORDER_REJECTED' }],
  ]);
  const [first] = raised.map(([, event]) => (event?.type === 'NotificationRaised' ? event.notificationId : ''));
  if (first === undefined) throw new Error('nothing was raised');

  const markRead = { type: 'MarkRead', ...asked('read'), userId: ada, notificationId: first } as const;
  const outcomes = driver.outputTopic(topics.commandOutcomes);
  const outcomeOf = (command: NotificationsCommand) => {
    commands.pipeInput(ada, command);
    return outcomes.readValues();
  };
  expect(outcomeOf(markRead)).toMatchObject([{ type: 'CommandAccepted', version: 3, replayed: false }]);
  expect(outcomeOf(markRead)).toMatchObject([{ type: 'CommandAccepted', version: 3, replayed: true }]);
  expect(outcomeOf({ type: 'MarkAllRead', ...asked('all'), userId: ada })).toMatchObject([
    { type: 'CommandAccepted', version: 4 },
  ]);
  expect(outcomeOf({ ...markRead, ...asked('none'), notificationId: 'no-such-notification' })).toMatchObject([
    { type: 'CommandRejected', errors: [{ code: 'NOT_FOUND' }] },
  ]);
  expect(told.readValues()).toMatchObject([
    { type: 'NotificationRead', version: 3, notificationId: first },
    { type: 'AllRead', version: 4 },
  ]);
});
