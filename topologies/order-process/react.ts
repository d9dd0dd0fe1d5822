import type { Money } from '@bookstream/schemas/money';
import type { OrdersEvent } from '@bookstream/schemas/types/orders';
import type { Order } from './order.ts';

/** A command before it has its meta. */
export type Demand =
  | {
      readonly type: 'ReserveStock';
      readonly bookId: string;
      readonly lineId: string;
      readonly attempt: number;
      readonly quantity: number;
      readonly onShort: 'REJECT';
    }
  | {
      readonly type: 'ReleaseStock' | 'CommitStock';
      readonly bookId: string;
      readonly lineId: string;
      readonly attempt: number;
    }
  | { readonly type: 'HoldFunds' | 'CaptureFunds'; readonly holdId: string; readonly amount: Money }
  | { readonly type: 'ReleaseHold'; readonly holdId: string };

const ended = (order: Order): boolean => order.status === 'REJECTED' || order.status === 'CANCELLED';

/**
 * What an event asks of stock and wallet. Compensation is data: a reservation or a hold that arrives after the order has ended is given back
 * at once, by the same rule whatever ended it.
 * @param order as the event has left it
 */
export function react(event: OrdersEvent, order: Order): readonly Demand[] {
  switch (event.type) {
    case 'ReservationStarted':
      return [
        ...event.attempts.map((attempt): Demand => ({ type: 'ReserveStock', ...attempt, onShort: 'REJECT' })),
        ...(event.holdId === null || event.holdAmount === null
          ? []
          : [{ type: 'HoldFunds', holdId: event.holdId, amount: event.holdAmount } as const]),
      ];
    case 'LineAnswered':
      return ended(order) && event.answer === 'RESERVED' ? [release(event)] : [];
    case 'PaymentMoved':
      return ended(order) && event.answer === 'AUTHORIZED' && event.holdId !== null
        ? [{ type: 'ReleaseHold', holdId: event.holdId }]
        : [];
    case 'OrderConfirmed':
      return [
        ...order.lines.map(({ bookId, lineId, attempt }): Demand => ({ type: 'CommitStock', bookId, lineId, attempt })),
        ...(order.hold === null
          ? []
          : [{ type: 'CaptureFunds', holdId: order.hold.holdId, amount: order.total } as const]),
      ];
    case 'OrderRejected':
      return [
        ...order.lines.filter((line) => line.answer === 'RESERVED').map(release),
        ...(order.hold?.answer === 'AUTHORIZED' ? [{ type: 'ReleaseHold', holdId: order.hold.holdId } as const] : []),
      ];
    default:
      return [];
  }
}

const release = ({
  bookId,
  lineId,
  attempt,
}: {
  readonly bookId: string;
  readonly lineId: string;
  readonly attempt: number;
}): Demand => ({
  type: 'ReleaseStock',
  bookId,
  lineId,
  attempt,
});
