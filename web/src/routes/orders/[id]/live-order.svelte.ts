import { type ApiError, asApiError } from '#lib/api/errors.ts';
import { graphql, type ResultOf } from '#lib/api/graphql.ts';
import { backOffMs } from '#lib/live/back-off.ts';
import { type LiveFeed, liveFeed } from '#lib/live/live-feed.svelte.ts';
import type { Liveness } from '#lib/live/liveness.ts';
import { subscription } from '#lib/live/socket.svelte.ts';
import { request } from '#lib/session.svelte.ts';
import {
  isBehind,
  isSettled,
  mergeSteps,
  type OrderStatus,
  type Step,
  statusAfter,
  TimelineStep,
} from '../progress.ts';

const OrderPage = graphql(
  `
    query OrderPage($id: ID!) {
      order(id: $id) {
        id
        number
        status
        payment
        version
        placedAt
        total {
          minor
          currency
        }
        lines {
          id
          bookId
          title
          quantity
          fulfilment
          unitPrice {
            minor
            currency
          }
          lineTotal {
            minor
            currency
          }
          book {
            title
            authors
            coverUrl
          }
        }
        rejection {
          reason
          message
          requested
          available
          book {
            id
            title
          }
          missing {
            minor
            currency
          }
          was {
            minor
            currency
          }
          now {
            minor
            currency
          }
        }
        timeline(first: 100) {
          edges {
            node {
              ...TimelineStep
            }
          }
        }
      }
    }
  `,
  [TimelineStep],
);
const OrderSteps = graphql(
  `
    subscription OrderSteps($orderId: ID!, $after: String) {
      orderTimeline(orderId: $orderId, after: $after) {
        ...TimelineStep
      }
    }
  `,
  [TimelineStep],
);

export type OrderShown = NonNullable<ResultOf<typeof OrderPage>['order']>;

/** An order that was placed this moment may not be written yet: so long it is asked for again. */
const newOrderMs = 15_000;
const askAgainMs = 500;
/** Several steps come within milliseconds; the rest of the order (payment, lines, reason) is read once after them. */
const settleMs = 120;

/**
 * One order with its steps as they happen: read once, then carried on by the feed behind the last step that was read.
 * @param placedAt when it was placed on this page, epoch milliseconds; null for an order that was there before
 */
export function liveOrder(id: string, placedAt: number | null) {
  let order = $state.raw<OrderShown | null>(null);
  let steps = $state.raw<readonly Step[]>([]);
  let error = $state.raw<ApiError | null>(null);
  let feed = $state.raw<LiveFeed | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let overtaken = 0;
  const abort = new AbortController();
  const settled = $derived(order !== null && !isBehind(order, steps) && isSettled(order));
  const status = $derived<OrderStatus | null>(order === null ? null : statusAfter(order, steps));

  async function load(): Promise<void> {
    clearTimeout(timer);
    try {
      const answer = await request(OrderPage, { id }, abort.signal);
      if (abort.signal.aborted) return;
      if (answer.order === null) throw new Error('The shop has no such order.');
      // Two reads may overtake each other; versions only grow.
      if (order === null || answer.order.version >= order.version) order = answer.order;
      steps = mergeSteps(
        steps,
        answer.order.timeline.edges.map((edge) => edge.node),
      );
      error = null;
      failures = 0;
      follow();
      // Steps and the rest of an order come to the shop's tables by two ways; what is behind is there within moments.
      if (isBehind(order, steps)) timer = setTimeout(() => void load(), backOffMs(overtaken++));
      else overtaken = 0;
    } catch (cause) {
      if (abort.signal.aborted) return;
      const problem = asApiError(cause);
      const young = placedAt !== null && Date.now() - placedAt < newOrderMs;
      if (young && order === null && problem.kind === 'not-found') timer = setTimeout(() => void load(), askAgainMs);
      else {
        error = problem;
        // What is shown goes on being shown, and the rest of it is asked for until it comes.
        if (order !== null) timer = setTimeout(() => void load(), backOffMs(failures++));
      }
    }
  }

  function follow(): void {
    if (settled) {
      feed?.stop(); // Nothing more will come.
      return;
    }
    if (feed !== null) return;
    feed = liveFeed({
      source: subscription(OrderSteps, { orderId: id }, (result) => result.orderTimeline),
      after: steps.at(-1)?.cursor ?? null,
      at: (step) => step.at,
      finished: () => settled,
      onHole: () => void load(),
      onItem: (step) => {
        steps = mergeSteps(steps, [step]);
        clearTimeout(timer);
        timer = setTimeout(() => void load(), settleMs);
      },
    });
  }

  void load();
  return {
    get order() {
      return order;
    },
    get status() {
      return status;
    },
    get steps() {
      return steps;
    },
    get error() {
      return error;
    },
    get liveness(): Liveness | null {
      return feed?.liveness ?? null;
    },
    reload: () => void load(),
    stop(): void {
      clearTimeout(timer);
      abort.abort();
      feed?.stop();
    },
  };
}
