import { type ProducedRecord, partitionForKey } from '../../kafka/index.ts';
import type { Order, OrderStatus, Payment, Reservation } from './serdes.ts';
import { type inputTopics, partitions } from './topology.ts';

const books = 1_000;

/** Times of events, in ms: a shop with 100 orders a second unless told otherwise. */
export interface Pace {
  readonly startMs: number;
  readonly orderEveryMs?: number;
  /** A reservation and a payment come at the latest so long after their order; far below the joins' ten minutes. */
  readonly latestMs?: number;
}

export interface OrderEvents {
  readonly order: Order;
  readonly reservation: Reservation;
  readonly payment: Payment;
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/**
 * Orders with their reservations and payments, the same for the same arguments. Some books sell much better than others, and one payment of twenty is
 * declined. Values are 59 bytes in the mean.
 */
export function* ordersOf(
  count: number,
  { startMs, orderEveryMs = 10, latestMs = 10_000 }: Pace,
  seed = 1,
): Generator<OrderEvents> {
  const random = randomOf(seed);
  const upTo = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
  for (let index = 0; index < count; index += 1) {
    const placedAt = startMs + Math.floor(index * orderEveryMs);
    const orderId = uuidLike(index, upTo(0, 0xffff_ffff));
    const reservedAt = placedAt + upTo(20, latestMs / 2);
    yield {
      order: {
        orderId,
        userId: `u${upTo(10_000, 59_999)}`,
        bookId: `b${Math.floor(random() ** 2 * books)
          .toString()
          .padStart(4, '0')}`,
        quantity: upTo(1, 5),
        amountMinor: upTo(500, 30_000),
        placedAt,
      },
      reservation: { orderId, status: 'RESERVED', at: reservedAt },
      payment: {
        orderId,
        status: upTo(1, 20) === 1 ? 'DECLINED' : 'CAPTURED',
        at: reservedAt + upTo(20, latestMs / 2),
      },
    };
  }
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
const uuidLike = (index: number, random: number): string =>
  `${hex(random, 8)}-${hex(index & 0xffff, 4)}-4000-8000-${hex(index, 12)}`;

/** The one status record that an order must lead to. */
export const statusOf = ({ order, reservation, payment }: OrderEvents): OrderStatus => ({
  orderId: order.orderId,
  userId: order.userId,
  bookId: order.bookId,
  status: payment.status,
  quantity: order.quantity,
  amountMinor: order.amountMinor,
  placedAt: order.placedAt,
  reservedAt: reservation.at,
  paidAt: payment.at,
});

const keyBytes = new TextEncoder();

export function recordsOf(
  topics: ReturnType<typeof inputTopics>,
  { order, reservation, payment }: OrderEvents,
): readonly [order: ProducedRecord, reservation: ProducedRecord, payment: ProducedRecord] {
  const key = keyBytes.encode(order.orderId);
  const partition = partitionForKey(key, partitions);
  const record = (topic: string, timestamp: number, value: Uint8Array): ProducedRecord => ({
    topic,
    partition,
    timestamp,
    key,
    value,
    headers: [],
  });
  const { orders, reservations, payments } = topics;
  return [
    record(orders.name, order.placedAt, orders.valueSerde.serialize(orders.name, order)),
    record(reservations.name, reservation.at, reservations.valueSerde.serialize(reservations.name, reservation)),
    record(payments.name, payment.at, payments.valueSerde.serialize(payments.name, payment)),
  ];
}

/** What a shop would have written, in the order of time over all three topics, in portions. */
export function* inTimeOrder(
  topics: ReturnType<typeof inputTopics>,
  orders: Iterable<OrderEvents>,
  portion = 2_000,
): Generator<readonly ProducedRecord[]> {
  let waiting: ProducedRecord[] = [];
  let count = 0;
  for (const one of orders) {
    waiting.push(...recordsOf(topics, one));
    count += 1;
    if (count % portion !== 0) continue;
    waiting.sort((a, b) => a.timestamp - b.timestamp);
    // No later order brings a record from before its own time.
    const behind = waiting.findIndex(({ timestamp }) => timestamp > one.order.placedAt);
    yield waiting.slice(0, behind < 0 ? waiting.length : behind);
    waiting = behind < 0 ? [] : waiting.slice(behind);
  }
  waiting.sort((a, b) => a.timestamp - b.timestamp);
  yield waiting;
}
