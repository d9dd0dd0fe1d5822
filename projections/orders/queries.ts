import { cursorOf, type Page, type PageArguments, readCursor } from '../page.ts';
import { keysetPage, type Queryable, rowsWhere } from '../sinks/postgres-page.ts';
import { type OrderRow, orderRows, orderSteps } from './projection.ts';
import type { OrderStep } from './step.ts';

export const ordersByIds = (db: Queryable, orderIds: readonly string[]): Promise<readonly OrderRow[]> =>
  rowsWhere(db, orderRows, 'order_id', orderIds);

/** Whoever asks must be its user or an admin: the caller checks. */
export const orderById = async (db: Queryable, orderId: string): Promise<OrderRow | null> =>
  (await ordersByIds(db, [orderId]))[0] ?? null;

const newestFirst = {
  table: orderRows,
  order: [
    { sql: 'placed_at', cast: 'timestamptz' },
    { sql: 'order_id', cast: 'text' },
  ],
  direction: 'desc',
  keyOf: (order: OrderRow) => [new Date(order.placedAt).toISOString(), order.orderId],
} as const;

/** Newest first. @throws InvalidCursorError */
export const ordersOfUser = (db: Queryable, userId: string, page: PageArguments): Promise<Page<OrderRow>> =>
  keysetPage(db, { list: 'orders of user', ...newestFirst, where: 'user_id = $1', values: [userId] }, page);

/** Of all users, newest first. @throws InvalidCursorError */
export const ordersPage = (
  db: Queryable,
  page: PageArguments & { readonly status?: string | null },
): Promise<Page<OrderRow>> =>
  keysetPage(
    db,
    { list: 'orders', ...newestFirst, where: '$1::text is null or status = $1', values: [page.status ?? null] },
    page,
  );

const oldestFirst = {
  list: 'steps',
  table: orderSteps,
  order: [{ sql: 'version', cast: 'integer' }],
  direction: 'asc',
  keyOf: (step: OrderStep) => [step.version],
} as const;

/** Oldest first. @throws InvalidCursorError */
export const stepsPage = (db: Queryable, orderId: string, page: PageArguments): Promise<Page<OrderStep>> =>
  keysetPage(db, { ...oldestFirst, where: 'order_id = $1', values: [orderId] }, page);

/** The steps behind `version` (0: all), oldest first: what a feed back-fills before it goes live. */
export async function timelineAfter(
  db: Queryable,
  orderId: string,
  version: number,
  limit = 1_000,
): Promise<readonly OrderStep[]> {
  const options = { ...oldestFirst, where: 'order_id = $1 and version > $2', values: [orderId, version] };
  return (await keysetPage(db, options, { first: limit })).items.map(({ node }) => node);
}

/** The cursor that `stepsPage` gives a step, for steps that come from the topic. */
export const stepCursor = (version: number): string => cursorOf(oldestFirst.list, [version]);

/** The version behind which a feed goes on. @throws InvalidCursorError */
export const versionOfStepCursor = (cursor: string): number => Number(readCursor(oldestFirst.list, 1, cursor)[0]);
