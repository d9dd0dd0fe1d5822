import { topics } from '@bookstream/schemas/topics';
import type { OrderRejection, OrdersEvent, OrdersView, OrderViewLine, Policy } from '@bookstream/schemas/types/orders';
import { projection, table } from '../projection.ts';
import { type OrderStep, stepOf } from './step.ts';

export interface OrderRow {
  readonly orderId: string;
  readonly userId: string;
  readonly version: number;
  readonly status: string;
  readonly payment: string;
  readonly policy: Policy;
  readonly lines: readonly OrderViewLine[];
  readonly totalMinor: bigint;
  readonly currency: string;
  readonly rejection: OrderRejection | null;
  readonly placedAt: number;
  readonly updatedAt: number;
}

/** The topology has folded the order already; a view that comes late (an older version) changes nothing. */
export function orderRow(row: OrderRow | null, view: OrdersView): OrderRow {
  if (row !== null && row.version > view.version) return row;
  const { orderId, userId, version, status, payment, policy, lines, total, rejection, placedAt, updatedAt } = view;
  const { amountMinor: totalMinor, currency } = total;
  return {
    orderId,
    userId,
    version,
    status,
    payment,
    policy,
    lines,
    totalMinor,
    currency,
    rejection,
    placedAt,
    updatedAt,
  };
}

export const orderRows = table<OrdersView, OrderRow>({
  name: 'orders',
  topic: topics.ordersView,
  key: 'orderId',
  columns: {
    orderId: 'text',
    userId: 'text',
    version: 'integer',
    status: 'text',
    payment: 'text',
    policy: 'text',
    lines: 'json',
    totalMinor: 'bigint',
    currency: 'text',
    rejection: 'json?',
    placedAt: 'instant',
    updatedAt: 'instant',
  },
  keys: (view) => [view.orderId],
  fold: orderRow,
  tombstones: true,
  indexes: [
    { name: 'user', sql: '(user_id, placed_at desc, order_id desc)' },
    { name: 'placed', sql: '(placed_at desc, order_id desc)' },
  ],
});

/** The timeline: each event of an order is a row of its own. */
export const orderSteps = table<OrdersEvent, OrderStep>({
  name: 'order_steps',
  topic: topics.ordersEvents,
  key: 'stepId',
  columns: {
    stepId: 'text',
    eventId: 'text',
    orderId: 'text',
    userId: 'text',
    version: 'integer',
    type: 'text',
    at: 'instant',
    message: 'text',
    status: 'text?',
    lineId: 'text?',
    bookId: 'text?',
    quantity: 'integer?',
    answer: 'text?',
    amountMinor: 'bigint?',
    currency: 'text?',
    reason: 'text?',
  },
  keys: (event) => [stepOf(event).stepId],
  fold: (_row, event) => stepOf(event),
  appendOnly: true,
  indexes: [{ name: 'order', sql: '(order_id, version)' }],
});

export const orders = projection({ name: 'orders', sink: 'postgres', tables: [orderRows, orderSteps], revision: 1 });
