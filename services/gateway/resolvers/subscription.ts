import type { NotificationRow } from '@bookstream/projections/notifications/projection';
import { notificationsAfter, notificationsPage, unreadCount } from '@bookstream/projections/notifications/queries';
import { timelineAfter, versionOfStepCursor } from '@bookstream/projections/orders/queries';
import { type OrderStep, stepOf } from '@bookstream/projections/orders/step';
import { cursorOf, readCursor } from '@bookstream/projections/page';
import { topics } from '@bookstream/schemas/topics';
import { callerOf, mayRead } from '../access.ts';
import { untilSeen } from '../commands.ts';
import type { GatewayContext } from '../context.ts';
import { forbidden, refusal } from '../errors.ts';
import { type LogItem as Item, logFeed } from '../log-feed.ts';
import { rowFeed } from '../row-feed.ts';
import { isId } from './inputs.ts';

const inboxList = 'inbox';

const invalidCursor = () =>
  refusal('INVALID_CURSOR', 'This cursor is none of this feed; nothing was sent. Begin without one.');

const positionOf = (read: () => number): number => {
  let position: number;
  try {
    position = read();
  } catch {
    throw invalidCursor();
  }
  if (!Number.isSafeInteger(position) || position < 0 || position > 2 ** 31 - 1) throw invalidCursor(); // forged
  return position;
};

/** An async generator that ends when its reader goes: graphql calls `return`, which aborts what the feed waits for. */
async function* until<T>(
  make: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  const gone = new AbortController();
  try {
    yield* make(gone.signal);
  } finally {
    gone.abort();
  }
}

/** `return` of a generator that waits inside is only heard at its next item; a wrapper hears it at once. */
function abortable<T>(make: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>): AsyncIterableIterator<T> {
  const gone = new AbortController();
  const feed = until(() => make(gone.signal));
  return {
    next: () => feed.next(),
    return: async () => {
      gone.abort();
      void feed.return(); // it ends as soon as what it waits for has been aborted
      return { done: true, value: undefined };
    },
    throw: (error) => feed.throw(error),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

export const Subscription = {
  orderTimeline: {
    subscribe: async (
      _root: unknown,
      { orderId, after }: { orderId: string; after?: string | null },
      context: GatewayContext,
    ) => {
      const { services, loaders, caller } = context;
      const from = after ? positionOf(() => versionOfStepCursor(after)) : 0;
      // The order may have been placed a moment ago: its row may be on its way.
      const { row: order } = await untilSeen(
        () => (isId(orderId) ? loaders.order.clear(orderId).load(orderId) : Promise.resolve(null)),
        (row) => row !== null || !isId(orderId),
        3_000,
      );
      if (order === null) throw refusal('NOT_FOUND', 'There is no such order.');
      if (!mayRead(caller, order.userId)) throw forbidden();
      return abortable((signal) =>
        rowFeed({
          after: from,
          read: (version) => timelineAfter(services.postgres, orderId, version),
          positionOf: (step) => step.version,
          listen: (heard) =>
            services.hub.listen(topics.ordersEvents, orderId, (event) => heard(event === null ? null : stepOf(event))),
          signal,
        }),
      );
    },
    resolve: (step: OrderStep) => step,
  },

  notifications: {
    subscribe: async (_root: unknown, { after }: { after?: string | null }, context: GatewayContext) => {
      const { services } = context;
      const { userId } = callerOf(context);
      const from = after
        ? positionOf(() => Number(readCursor(inboxList, 1, after)[0]))
        : ((await notificationsPage(services.mongo, userId, { first: 1 })).items[0]?.node.version ?? 0);
      return abortable((signal) =>
        rowFeed({
          after: from,
          read: (version) => notificationsAfter(services.mongo, userId, version),
          positionOf: (row) => row.version,
          listen: (heard) => services.hub.listen(topics.notificationsEvents, userId, () => heard(null)), // versions have gaps: reading is an event too
          signal,
        }),
      );
    },
    resolve: (row: NotificationRow, _args: unknown, { services }: GatewayContext) => ({
      cursor: cursorOf(inboxList, [row.version]),
      notification: row,
      unreadCount: () => unreadCount(services.mongo, row.userId),
    }),
  },

  logs: {
    subscribe: (
      _root: unknown,
      { after, level, service }: { after?: string | null; level?: string | null; service?: string | null },
      { services }: GatewayContext,
    ) =>
      abortable((signal) =>
        logFeed(services.kafka, {
          after: after ?? null,
          filter: { level: level ?? null, service: service ?? null },
          signal,
        }),
      ),
    resolve: (item: Item) => ({ cursor: item.cursor, dropped: item.dropped, line: item.row }),
  },
};
