import type { ResultOf } from '#lib/api/graphql.ts';
import { graphql } from '#lib/api/graphql.ts';

/** A step of an order as the timeline shows it. */
export const TimelineStep = graphql(`
  fragment TimelineStep on OrderStep {
    cursor
    id
    version
    type
    at
    message
    status
    answer
  }
`);
export type Step = ResultOf<typeof TimelineStep>;
export type OrderStatus = NonNullable<Step['status']>;

/** What a person reads for a status, and what it means. */
export const statusWords: Readonly<Record<OrderStatus, readonly [word: string, meaning: string]>> = {
  PLACED: ['Placed', 'Accepted. The stock and your wallet are asked next.'],
  RESERVING: ['Reserving', 'Copies are being reserved and the money is being set aside.'],
  BACKORDERED: ['Waiting for copies', 'Copies are to come in first. No money is set aside until then.'],
  CONFIRMED: ['Confirmed', 'All copies are reserved and paid.'],
  SHIPPED: ['Shipped', 'On its way to you.'],
  DELIVERED: ['Delivered', 'Arrived.'],
  REJECTED: ['Rejected', 'The order was refused. Nothing is held and nothing was charged.'],
  CANCELLING: ['Cancelling', 'What the order holds is being given back.'],
  CANCELLED: ['Cancelled', 'Nothing is held any more.'],
};

export type Tone = 'stream' | 'good' | 'bad' | 'warn' | 'muted';

export const toneOf = (status: OrderStatus): Tone => {
  if (status === 'REJECTED') return 'bad';
  if (status === 'CONFIRMED' || status === 'SHIPPED' || status === 'DELIVERED') return 'good';
  if (status === 'BACKORDERED') return 'warn';
  return status === 'CANCELLED' ? 'muted' : 'stream';
};

/** Nothing more will happen to it. */
export const isFinal = (status: OrderStatus): boolean =>
  status === 'REJECTED' || status === 'CANCELLED' || status === 'DELIVERED';

/** The shop is at work on it now: something will happen within seconds. */
export const isMoving = (status: OrderStatus): boolean =>
  status === 'PLACED' || status === 'RESERVING' || status === 'CANCELLING';

/** Steps by version, each once; both may hold some of the other's. */
export function mergeSteps(known: readonly Step[], incoming: readonly Step[]): readonly Step[] {
  const byVersion = new Map([...known, ...incoming].map((step) => [step.version, step]));
  return [...byVersion.values()].sort((a, b) => a.version - b.version);
}

/** Where the order stands: what was read of it, carried on by the steps that came after. */
export function statusAfter(
  order: { readonly status: OrderStatus; readonly version: number },
  steps: readonly Step[],
): OrderStatus {
  let { status } = order;
  for (const step of steps) if (step.version > order.version && step.status !== null) status = step.status;
  return status;
}

/** The steps tell more than the order that was read with them: they come by another way and can be ahead of it. */
export const isBehind = (order: { readonly version: number }, steps: readonly Step[]): boolean =>
  (steps.at(-1)?.version ?? 0) > order.version;

/** It has ended, and what it held has been given back: a refused order is answered for a while longer. */
export const isSettled = (order: {
  readonly status: OrderStatus;
  readonly payment: string;
  readonly lines: readonly { readonly fulfilment: string }[];
}): boolean =>
  isFinal(order.status) &&
  order.payment !== 'HELD' &&
  order.lines.every(({ fulfilment }) => fulfilment !== 'PENDING' && fulfilment !== 'RESERVED');

export interface Stage {
  readonly name: string;
  readonly state: 'done' | 'current' | 'ahead' | 'broken';
}

/** The way of an order in three stages: the stream line at the top of its page. A refusal breaks it where it happened. */
export function stagesOf(status: OrderStatus): readonly Stage[] {
  const [placed, reserving] = ['Placed', 'Reserving'];
  const done = (name: string): Stage => ({ name, state: 'done' });
  switch (status) {
    case 'PLACED':
      return [
        { name: placed, state: 'current' },
        { name: reserving, state: 'ahead' },
        { name: 'Confirmed', state: 'ahead' },
      ];
    case 'RESERVING':
      return [done(placed), { name: reserving, state: 'current' }, { name: 'Confirmed', state: 'ahead' }];
    case 'BACKORDERED':
      return [done(placed), { name: 'Waiting for copies', state: 'current' }, { name: 'Confirmed', state: 'ahead' }];
    case 'CONFIRMED':
      return [done(placed), done('Reserved'), done('Confirmed')];
    case 'SHIPPED':
      return [done(placed), done('Reserved'), done('Confirmed'), done('Shipped')];
    case 'DELIVERED':
      return [done(placed), done('Reserved'), done('Confirmed'), done('Shipped'), done('Delivered')];
    case 'REJECTED':
      return [done(placed), done(reserving), { name: 'Rejected', state: 'broken' }];
    case 'CANCELLING':
      return [done(placed), { name: 'Cancelling', state: 'current' }, { name: 'Cancelled', state: 'ahead' }];
    case 'CANCELLED':
      return [done(placed), { name: 'Cancelled', state: 'broken' }];
  }
}

/** What a person reads for an order's payment. */
export const paymentWords = {
  NONE: 'Nothing was charged',
  HELD: 'Set aside in your wallet',
  CAPTURED: 'Paid from your wallet',
  RELEASED: 'Free again in your wallet',
  PART_REFUNDED: 'Partly paid back',
  REFUNDED: 'Paid back',
} as const;

/** What a person reads for a line's fulfilment; an unknown word of a newer server is shown as it is. */
export const fulfilmentWord = (fulfilment: string): string =>
  ({
    PENDING: 'Asked for',
    RESERVED: 'Reserved',
    REJECTED: 'Not enough copies',
    QUEUED: 'Waiting for copies',
    RELEASED: 'Given back to the stock',
    COMMITTED: 'Yours',
    SHIPPED: 'Shipped',
    RETURNED: 'Returned',
  })[fulfilment] ?? fulfilment.toLowerCase();
