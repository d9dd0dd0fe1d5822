import type { OrderRow } from '@bookstream/projections/orders/projection';
import { stepCursor, stepsPage } from '@bookstream/projections/orders/queries';
import { rejectionSentence, type OrderStep as Step } from '@bookstream/projections/orders/step';
import { orderNumberOf } from '@bookstream/schemas/ids';
import type { OrderViewLine, OrderRejection as Rejection } from '@bookstream/schemas/types/orders';
import type { GatewayContext } from '../context.ts';
import { checkedPage, connection } from './connection.ts';
import { money } from './scalars.ts';

export const Order = {
  id: (row: OrderRow) => row.orderId,
  number: (row: OrderRow) => orderNumberOf(row.orderId),
  total: (row: OrderRow) => money({ amountMinor: row.totalMinor, currency: row.currency }),
  timeline: (row: OrderRow, args: { first: number; after: string | null }, { services }: GatewayContext) =>
    connection(stepsPage(services.postgres, row.orderId, checkedPage(args)), (step) => step),
};

export const OrderLine = {
  id: (line: OrderViewLine) => line.lineId,
  book: (line: OrderViewLine, _args: unknown, { loaders }: GatewayContext) => loaders.book.load(line.bookId),
  unitPrice: (line: OrderViewLine) => money(line.unitPrice),
  lineTotal: (line: OrderViewLine) => money(line.lineTotal),
};

export const OrderRejection = {
  message: (rejection: Rejection) => rejectionSentence(rejection),
  book: (rejection: Rejection, _args: unknown, { loaders }: GatewayContext) =>
    rejection.bookId === null ? null : loaders.book.load(rejection.bookId),
  missing: ({ missing }: Rejection) => missing && money(missing),
  was: ({ was }: Rejection) => was && money(was),
  now: ({ now }: Rejection) => now && money(now),
};

export const OrderStep = {
  id: (step: Step) => step.eventId,
  cursor: (step: Step) => stepCursor(step.version),
  amount: (step: Step) =>
    step.amountMinor === null || step.currency === null
      ? null
      : money({ amountMinor: step.amountMinor, currency: step.currency }),
};
