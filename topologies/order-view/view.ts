import type { OrdersEvent, OrderView } from '@bookstream/schemas/types/orders';
import { evolve, type LineState, type Order } from '../order-process/order.ts';

/** The order with what only its reader needs. */
export interface ViewedOrder {
  readonly order: Order;
  readonly view: OrderView;
}

const fulfilment = (line: LineState): string =>
  line.answer === 'NONE' || line.answer === 'ASKED' ? 'PENDING' : line.answer;

/** Folds one more event into what a reader sees. The state is order-process's own fold, so both always agree. An event seen before changes nothing. */
export function viewOf(seen: ViewedOrder | null, event: OrdersEvent): ViewedOrder {
  if (seen !== null && event.version <= seen.order.version) return seen;
  const order = evolve(seen?.order ?? null, event);
  const { orderId, userId, version, status, payment, policy, total } = order;
  const rejection = event.type === 'OrderRejected' ? rejectionOf(event) : (seen?.view.rejection ?? null);
  const { occurredAt } = event.meta;
  return {
    order,
    view: {
      type: 'OrderView',
      meta: event.meta,
      orderId,
      userId,
      version,
      status,
      payment,
      policy,
      lines: order.lines.map((line) => {
        const { lineId, bookId, title, quantity, unitPrice, lineTotal } = line;
        return { lineId, bookId, title, quantity, unitPrice, lineTotal, fulfilment: fulfilment(line) };
      }),
      total,
      rejection,
      placedAt: seen?.view.placedAt ?? occurredAt,
      updatedAt: occurredAt,
    },
  };
}

const rejectionOf = (event: Extract<OrdersEvent, { type: 'OrderRejected' }>): OrderView['rejection'] => {
  const { reason, lineId, bookId, requested, available, missing, was, now } = event;
  return { reason, lineId, bookId, requested, available, missing, was, now };
};
