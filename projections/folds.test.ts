import { eur } from '@bookstream/schemas/money';
import type { NotificationsEvent } from '@bookstream/schemas/types/notifications';
import { expect, test } from 'vitest';
import { bookRow, plainText } from './catalogue/projection.ts';
import { logRow } from './logs/projection.ts';
import { inboxRow, notificationRow } from './notifications/projection.ts';
import { orderRow } from './orders/projection.ts';
import { stepOf } from './orders/step.ts';
import { stockRow } from './stock/projection.ts';
import {
  bookCreated,
  meta,
  orderConfirmed,
  orderPlaced,
  orderView,
  priceChanged,
  restocked,
  toppedUp,
} from './test/events.ts';
import { walletEntry, walletRow } from './wallet/projection.ts';

test('a book keeps its details when its price changes, and its version tells how many events it has seen', () => {
  const created = bookRow(null, bookCreated('b', 'Les Misérables', 990n));
  const row = bookRow(created, priceChanged('b', 2, 1_190n));
  expect(row).toMatchObject({ title: 'Les Misérables', priceMinor: 1_190n, version: 2, withdrawn: false });
  expect(row?.titleSort).toBe('les miserables');
  expect(() => bookRow(null, priceChanged('b', 2, 1n))).toThrow('never created');
});

test('search text knows neither accents nor case nor hyphens', () => {
  expect(plainText('  Brontë, CHARLOTTE – 978-0-14 ')).toBe('bronte charlotte 978 0 14');
});

test('an order row is the view, and an older view does not undo a newer one', () => {
  const newer = orderRow(null, orderView('o', 'u', 3, 'CONFIRMED'));
  expect(newer).toMatchObject({ version: 3, status: 'CONFIRMED', totalMinor: 2_500n });
  expect(orderRow(newer, orderView('o', 'u', 2, 'RESERVING'))).toBe(newer);
});

test('a step tells in a sentence what happened, with the amount and the state after it', () => {
  expect(stepOf(orderPlaced('o', 'u'))).toMatchObject({
    version: 1,
    type: 'PLACED',
    status: 'PLACED',
    message: 'Placed: 2 copies for €25.00.',
    amountMinor: 2_500n,
  });
  const { type: _type, ...base } = orderConfirmed('o', 'u', 7);
  const rejected = stepOf({
    ...base,
    type: 'OrderRejected',
    reason: 'OUT_OF_STOCK',
    lineId: 'l',
    bookId: 'b',
    requested: 2,
    available: 1,
    missing: null,
    was: null,
    now: null,
  });
  expect(rejected.message).toBe('2 copies asked for, 1 available; you were not charged.');
  expect(rejected).toMatchObject({ stepId: 'o/000007', status: 'REJECTED', reason: 'OUT_OF_STOCK', lineId: 'l' });
});

test('a wallet stands where its last event says, and each movement is an entry', () => {
  const first = toppedUp('u', 1, 500n, 500n);
  const second = toppedUp('u', 2, 250n, 750n);
  const row = walletRow(walletRow(null, first), second);
  expect(row).toMatchObject({ balanceMinor: 750n, heldMinor: 0n, version: 2 });
  expect(walletRow(row, first)).toBe(row);
  expect(walletEntry(second)).toMatchObject({ type: 'TOP_UP', amountMinor: 250n, balanceMinor: 750n, orderId: null });
});

test('stock counts what can be bought and who waits', () => {
  const level = { onHand: 5, reserved: 2, committed: 1, safety: 1 };
  const joined = stockRow(stockRow(null, restocked('b', 1, 5, 5)), {
    type: 'WaitlistJoined',
    meta: meta('w', 2),
    bookId: 'b',
    version: 2,
    level,
    userId: 'u',
    position: 1,
  });
  expect(joined).toMatchObject({ ...level, available: 1, waiting: 1, version: 2 });
  const left = stockRow(joined, {
    type: 'WaitlistLeft',
    meta: meta('w', 3),
    bookId: 'b',
    version: 3,
    level,
    userId: 'u',
  });
  expect(left.waiting).toBe(0);
});

test('what was read stays read, and AllRead moves the mark of the inbox', () => {
  const raised: NotificationsEvent = {
    type: 'NotificationRaised',
    meta: meta('n', 1),
    userId: 'u',
    version: 1,
    notificationId: 'n',
    kind: 'order-confirmed',
    orderId: 'o',
    title: 'Confirmed',
    body: 'Your order is confirmed.',
  };
  const read: NotificationsEvent = {
    type: 'NotificationRead',
    meta: meta('n', 2),
    userId: 'u',
    version: 2,
    notificationId: 'n',
  };
  const allRead: NotificationsEvent = { type: 'AllRead', meta: meta('n', 3), userId: 'u', version: 3 };
  expect(notificationRow(notificationRow(null, raised), read)).toMatchObject({ read: true, title: 'Confirmed' });
  expect(notificationRow(null, read)).toBeNull();
  expect([raised, read, allRead].reduce<ReturnType<typeof inboxRow> | null>(inboxRow, null)).toEqual({
    userId: 'u',
    version: 3,
    allReadVersion: 3,
  });
});

test('a log line is found again by its place in the topic, and its fields are a list', () => {
  const line = logRow(
    {
      type: 'LogRecorded',
      time: 1,
      level: 'WARN',
      service: 's',
      instance: 'i',
      traceId: null,
      orderId: null,
      event: 'e',
      message: 'm',
      fields: { 'b.c': '2', $a: String(eur(1n).currency) },
    },
    '3-1',
  );
  expect(line).toMatchObject({ lineId: '3-1', severity: 3 });
  expect(line.fields).toEqual([
    { name: '$a', value: 'EUR' },
    { name: 'b.c', value: '2' },
  ]);
});
