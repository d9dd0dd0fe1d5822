import { JoinWindows, type Serde, Serdes, type StreamsBuilder, type TopicLike } from '../../index.ts';
import {
  type BookSales,
  bookSalesSerde,
  type OrderStatus,
  orderSerde,
  orderStatusSerde,
  paymentSerde,
  reservationSerde,
} from './serdes.ts';

export const partitions = 4;

const keyed = <V>(name: string, valueSerde: Serde<V>): TopicLike<string, V> => ({
  name,
  keySerde: Serdes.string,
  valueSerde,
});

/** Of a run: a suffix at the names keeps runs on one broker apart. */
export const inputTopics = (suffix: string) => ({
  orders: keyed(`bench-orders${suffix}`, orderSerde),
  reservations: keyed(`bench-reservations${suffix}`, reservationSerde),
  payments: keyed(`bench-payments${suffix}`, paymentSerde),
});
export const outputTopics = (suffix: string) => ({
  orderStatus: keyed(`bench-order-status${suffix}`, orderStatusSerde),
  bookSales: keyed(`bench-book-sales${suffix}`, bookSalesSerde),
});

const windows = JoinWindows.ofTimeDifferenceWithNoGrace(10 * 60_000);

/** A shop's orders: each with its reservation and its payment, and what they add up to for a book. `java/OrderFlow.java` is the same in the original. */
export function orderFlow(
  builder: StreamsBuilder,
  inputs: ReturnType<typeof inputTopics>,
  outputs: ReturnType<typeof outputTopics>,
): void {
  const status = builder
    .stream(inputs.orders)
    .join(
      builder.stream(inputs.reservations),
      // Not paid yet: what the second join completes.
      (order, reservation): OrderStatus => ({
        orderId: order.orderId,
        userId: order.userId,
        bookId: order.bookId,
        status: reservation.status,
        quantity: order.quantity,
        amountMinor: order.amountMinor,
        placedAt: order.placedAt,
        reservedAt: reservation.at,
        paidAt: 0,
      }),
      windows,
      { as: 'reserved' },
    )
    .join(
      builder.stream(inputs.payments),
      (reserved, payment): OrderStatus => ({
        orderId: reserved.orderId,
        userId: reserved.userId,
        bookId: reserved.bookId,
        status: payment.status,
        quantity: reserved.quantity,
        amountMinor: reserved.amountMinor,
        placedAt: reserved.placedAt,
        reservedAt: reserved.reservedAt,
        paidAt: payment.at,
      }),
      windows,
      { as: 'paid', valueSerde: orderStatusSerde },
    );
  status.to(outputs.orderStatus);
  status
    .groupBy((_orderId, { bookId }) => bookId, { as: 'by-book', keySerde: Serdes.string, valueSerde: orderStatusSerde })
    .aggregate<BookSales>(
      () => ({ bookId: '', count: 0, revenueMinor: 0 }),
      (bookId, { amountMinor }, { count, revenueMinor }) => ({
        bookId,
        count: count + 1,
        revenueMinor: revenueMinor + amountMinor,
      }),
      { store: 'book-sales', valueSerde: bookSalesSerde },
    )
    .toStream()
    .to(outputs.bookSales);
}
