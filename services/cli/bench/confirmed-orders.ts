import { randomUUID } from 'node:crypto';
import { newBook } from '../../e2e/new-book.ts';
import { lineOf, type OrderPlaced, ShopClient } from '../../e2e/shop-client.ts';

const password = 'bookstream-demo';
const priceMinor = 100;
/** Most that a wallet takes at once. */
const mostTopUp = 100_000;
/** From one order to the next, evenly spread, so that no clock of the shop's is always met at the same moment. */
const paceMs = { least: 100, most: 150 };
const confirmedWithinMs = 20_000;

/** One order of the benchmark. All times are ms from the moment at which its client sent it. */
export interface ConfirmedOrder {
  /** When the events happened, by the shop's clock on the same machine: `CONFIRMED`, `LINE_ANSWERED RESERVED`, … */
  readonly steps: Readonly<Record<string, number>>;
  /** `orderPlace` with `await: ACCEPTED` was answered: the order stands in the read model. */
  readonly answered: number;
  /** The step to CONFIRMED came out of the subscription. */
  readonly confirmed: number;
}

export interface Buying {
  /** Waits until the next order is due, places it and hears it through. */
  next(): Promise<ConfirmedOrder>;
  end(): Promise<void>;
}

interface Step {
  readonly type: string;
  readonly answer: string | null;
  readonly status: string | null;
  readonly at: string;
}

const placeDocument = `mutation ($input: OrderPlaceInput!) {
  orderPlace(input: $input) {
    order { id status payment rejection { reason message } } pending replayed userErrors { __typename code message }
  }
}`;
const stepsDocument = `subscription ($orderId: ID!) {
  orderTimeline(orderId: $orderId) { type answer status at }
}`;

/** A new shopper with the money for so many orders, and a new book with the copies, so that every order is confirmed. */
export async function buyOnceEach(origin: string, orders: number): Promise<Buying> {
  using admin = await ShopClient.login(origin, 'admin@bookstream.test', password);
  const book = await newBook(admin, orders, priceMinor);
  const shopper = await ShopClient.shopper(origin, 0);
  for (let missing = orders * priceMinor; missing > 0; missing -= mostTopUp)
    await shopper.topUp(Math.min(missing, mostTopUp));
  // As the page does, which listens for notifications all the time: so the socket is open when an order's steps are asked for.
  const inbox = shopper.subscribe<unknown>('subscription { notifications { cursor } }');
  const listening = drain(inbox);
  let due = performance.now();

  return {
    async next() {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      due = performance.now() + paceMs.least + Math.random() * (paceMs.most - paceMs.least);
      const sentAt = Date.now();
      const sent = performance.now();
      const { orderPlace } = await shopper.ask<{ orderPlace: OrderPlaced }>(placeDocument, {
        input: { idempotencyKey: randomUUID(), lines: [lineOf(book, 1)], await: 'ACCEPTED' },
      });
      const answered = performance.now() - sent;
      const orderId = orderPlace.order?.id;
      if (orderId === undefined) throw new Error(`the shop did not place an order: ${JSON.stringify(orderPlace)}`);
      const steps = await stepsUntilConfirmed(shopper, orderId);
      const confirmed = performance.now() - sent;
      return {
        steps: Object.fromEntries(steps.map((step) => [nameOf(step), Date.parse(step.at) - sentAt])),
        answered,
        confirmed,
      };
    },
    async end() {
      await inbox.return?.();
      await listening;
      shopper[Symbol.dispose]();
    },
  };
}

const nameOf = ({ type, answer }: Step): string => (answer === null ? type : `${type} ${answer}`);

async function stepsUntilConfirmed(shopper: ShopClient, orderId: string): Promise<readonly Step[]> {
  const feed = shopper.subscribe<{ orderTimeline: Step }>(stepsDocument, { orderId });
  const late = setTimeout(() => void feed.return?.(), confirmedWithinMs);
  const steps: Step[] = [];
  try {
    for await (const { data, errors } of feed) {
      if (data === null) throw new Error(`the steps of order ${orderId} were refused: ${JSON.stringify(errors)}`);
      steps.push(data.orderTimeline);
      const { status } = data.orderTimeline;
      if (status === 'CONFIRMED') return steps;
      if (status === 'REJECTED') break;
    }
  } finally {
    clearTimeout(late);
  }
  const heard = steps.map(nameOf).join(', ') || 'nothing';
  throw new Error(`order ${orderId} was not confirmed within ${confirmedWithinMs / 1000} s; its steps: ${heard}`);
}

async function drain(feed: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of feed);
}
