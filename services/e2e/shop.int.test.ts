import { randomUUID } from 'node:crypto';
import { topics } from '@bookstream/schemas/topics';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { logEnds } from './log-ends.ts';
import { newBook } from './new-book.ts';
import { type BookForSale, eventually, lineOf, type OrderPlaced, ShopClient } from './shop-client.ts';

const { origin, urls } = inject('platform');
const kafkaUrl = urls.KAFKA_URL;
const admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');
afterAll(() => admin[Symbol.dispose]());

interface Stock {
  readonly onHand: number;
  readonly reserved: number;
  readonly committed: number;
  readonly available: number;
}

const stockOf = async (bookId: string): Promise<Stock> => {
  const answer = await admin.ask<{ admin: { stock: Stock } }>(
    'query ($bookId: ID!) { admin { stock(bookId: $bookId) { onHand reserved committed available } } }',
    { bookId },
  );
  return answer.admin.stock;
};

/** A book of this test's own, so that no other test moves its stock. */
const bookWith = (copies: number, priceMinor = 1_250): Promise<BookForSale> => newBook(admin, copies, priceMinor);

test('anyone may look at the books', async () => {
  const nobody = new ShopClient(origin);
  const answer = await nobody.send<{ books: { edges: { node: { title: string } }[] } }>(
    '{ books(first: 1) { edges { node { title } } } }',
  );
  expect(answer.errors).toBeUndefined();
  expect(answer.data?.books.edges).toHaveLength(1);
  expect((await nobody.books('pride and prejudice')).map((book) => book.title)).toContain('Pride and Prejudice');
});

test('the query editor stands at the address of the API, the page at every other', async () => {
  const editor = await fetch(`${origin}/graphql`, { headers: { accept: 'text/html' } });
  expect(editor.headers.get('content-type')).toContain('text/html');
  expect(await editor.text()).toMatch(/graphiql/i);
  const page = await fetch(`${origin}/orders/anything`, { headers: { accept: 'text/html' } });
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('<html');
});

test('a shopper buys two copies and every step arrives by subscription, in order, once', async () => {
  const book = await bookWith(10);
  using shopper = await ShopClient.shopper(origin, 5_000);
  const notices = shopper.subscribe<{ notifications: { notification: { title: string }; unreadCount: number } }>(
    'subscription { notifications { cursor unreadCount notification { title body kind } } }',
  );
  const notice = notices.next();

  const placed = await shopper.buy(book, 2);
  expect(placed.userErrors).toEqual([]);
  expect(placed.order?.status).toBe('CONFIRMED');
  await eventually('the payment is captured', async () => {
    const { order } = await shopper.ask<{ order: { payment: string } }>(
      'query ($id: ID!) { order(id: $id) { payment } }',
      {
        id: placed.order?.id,
      },
    );
    return order.payment === 'CAPTURED';
  });

  const steps: { type: string; version: number; cursor: string }[] = [];
  for await (const { data } of shopper.subscribe<{
    orderTimeline: { type: string; version: number; status: string | null; cursor: string };
  }>('subscription ($id: ID!) { orderTimeline(orderId: $id) { cursor type version status } }', {
    id: placed.order?.id,
  })) {
    if (data === null) throw new Error('an empty step');
    steps.push(data.orderTimeline);
    if (data.orderTimeline.type === 'CONFIRMED') break;
  }
  expect(steps.map((step) => step.version)).toEqual(steps.map((_, index) => index + 1));
  expect(steps[0]?.type).toBe('PLACED');
  expect(steps.map((step) => step.type)).toContain('RESERVATION_STARTED');

  // Resuming after the first step gives the others again, and only those.
  const resumed: string[] = [];
  for await (const { data } of shopper.subscribe<{ orderTimeline: { type: string } }>(
    'subscription ($id: ID!, $after: String) { orderTimeline(orderId: $id, after: $after) { type } }',
    { id: placed.order?.id, after: steps[0]?.cursor },
  )) {
    resumed.push(data?.orderTimeline.type ?? '');
    if (data?.orderTimeline.type === 'CONFIRMED') break;
  }
  expect(resumed).toEqual(steps.slice(1).map((step) => step.type));

  expect(
    await eventually('the wallet paid', async () => {
      const wallet = await shopper.wallet();
      return wallet.held === 0 && wallet.balance === 2_500 ? wallet : null;
    }),
  ).toEqual({ balance: 2_500, held: 0 });
  expect(
    await eventually('the copies are committed', async () => {
      const stock = await stockOf(book.id);
      return stock.committed === 2 ? stock : null;
    }),
  ).toMatchObject({ onHand: 10, reserved: 0, committed: 2, available: 8 });
  const raised = await notice;
  expect(raised.value?.data?.notifications.notification.title).toMatch(/confirmed/i);
  await notices.return?.();
});

test('more copies than there are: rejected with the reason, and the money is free again', async () => {
  const book = await bookWith(3);
  using shopper = await ShopClient.shopper(origin, 50_000);
  const placed = await shopper.buy(book, 4);
  expect(placed.order?.status).toBe('REJECTED');
  expect(placed.order?.rejection?.reason).toBe('OUT_OF_STOCK');
  expect(placed.userErrors.map((error) => error.__typename)).toEqual(['InsufficientStock']);
  await eventually('the hold is released', async () => (await shopper.wallet()).held === 0);
  expect((await shopper.wallet()).balance).toBe(50_000);
  expect(await stockOf(book.id)).toMatchObject({ onHand: 3, reserved: 0, committed: 0 });
});

test('beyond the wallet: rejected, and the stock is given back', async () => {
  const book = await bookWith(5, 2_000);
  using shopper = await ShopClient.shopper(origin, 3_000);
  const placed = await shopper.buy(book, 2);
  expect(placed.order?.status).toBe('REJECTED');
  expect(placed.order?.rejection?.reason).toBe('FUNDS');
  expect(placed.userErrors.map((error) => error.__typename)).toEqual(['InsufficientFunds']);
  await eventually('the copies are back', async () => (await stockOf(book.id)).available === 5);
  expect(await shopper.wallet()).toEqual({ balance: 3_000, held: 0 });
});

test('an order of several books is one decision: one short book frees the others', async () => {
  const plenty = await bookWith(9);
  const scarce = await bookWith(1);
  using shopper = await ShopClient.shopper(origin, 50_000);
  const refused = await shopper.tryToBuy([lineOf(plenty, 2), lineOf(scarce, 2)]);
  expect(refused.data?.orderPlace.order?.status).toBe('REJECTED');
  const bought = await shopper.tryToBuy([lineOf(plenty, 2), lineOf(scarce, 1)]);
  expect(bought.data?.orderPlace.order?.status).toBe('CONFIRMED');
  await eventually('both settled', async () => {
    const [first, second] = await Promise.all([stockOf(plenty.id), stockOf(scarce.id)]);
    return first.committed === 2 && first.reserved === 0 && second.committed === 1 && second.reserved === 0;
  });
});

test('the same key gives the first answer again; with another input it is refused', async () => {
  const book = await bookWith(5);
  using shopper = await ShopClient.shopper(origin, 50_000);
  const key = randomUUID();
  const first = await shopper.buy(book, 1, key);
  const again = await shopper.buy(book, 1, key);
  expect(again.order?.id).toBe(first.order?.id);
  expect([first.replayed, again.replayed]).toEqual([false, true]);
  const other = await shopper.buy(book, 2, key);
  expect(other.userErrors.map((error) => error.code)).toEqual(['IDEMPOTENCY_KEY_REUSED']);
  await eventually('one copy left the shelf, not two', async () => (await stockOf(book.id)).committed === 1);
  await shopper.topUp(100, key);
  await shopper.topUp(100, key);
  await eventually('one top-up', async () => (await shopper.wallet()).balance === 50_000 - 1_250 + 100);
});

describe('what the shop refuses is typed, and nothing is written', () => {
  let shopper: ShopClient;
  let book: BookForSale;
  let foreignOrder: OrderPlaced;
  beforeAll(async () => {
    book = await bookWith(5);
    shopper = await ShopClient.shopper(origin, 50_000);
    using other = await ShopClient.shopper(origin, 50_000);
    foreignOrder = await other.buy(book, 1);
  });
  afterAll(() => shopper[Symbol.dispose]());

  const written = () => logEnds(kafkaUrl, [topics.ordersCommands.name, topics.ordersEvents.name]);

  test.each([
    ['quantity 0', 0, 'INVALID_QUANTITY'],
    ['quantity -1', -1, 'INVALID_QUANTITY'],
  ])('%s', async (_, quantity, code) => {
    const before = await written();
    const { data } = await shopper.tryToBuy([lineOf(book, quantity)]);
    expect(data?.orderPlace.order).toBeNull();
    expect(data?.orderPlace.userErrors.map((error) => error.code)).toEqual([code]);
    expect(await written()).toEqual(before);
  });

  test('quantity 2^31 is no Int of GraphQL at all', async () => {
    const before = await written();
    const { errors } = await shopper.tryToBuy([lineOf(book, 2 ** 31)]);
    expect(errors?.[0]?.extensions?.code).toBe('BAD_USER_INPUT');
    expect(await written()).toEqual(before);
  });

  test('an unknown book', async () => {
    const before = await written();
    const { data } = await shopper.tryToBuy([lineOf({ ...book, id: randomUUID() }, 1)]);
    expect(data?.orderPlace.userErrors.map((error) => error.__typename)).toEqual(['UnknownBook']);
    expect(await written()).toEqual(before);
  });

  test('the order of somebody else', async () => {
    const answer = await shopper.send<{ order: unknown }>('query ($id: ID!) { order(id: $id) { id } }', {
      id: foreignOrder.order?.id,
    });
    expect([answer.data?.order ?? null, answer.errors?.[0]?.extensions?.code]).toEqual([null, 'FORBIDDEN']);
    const feed = shopper.subscribe('subscription ($id: ID!) { orderTimeline(orderId: $id) { type } }', {
      id: foreignOrder.order?.id,
    });
    const first = await feed.next().catch((refusal: unknown) => ({ value: { errors: refusal }, done: true }));
    expect(JSON.stringify(first.value)).toContain('FORBIDDEN');
  });

  test('no token', async () => {
    const before = await written();
    const nobody = new ShopClient(origin);
    const { errors } = await nobody.tryToBuy([lineOf(book, 1)]);
    expect(errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
    expect(await written()).toEqual(before);
  });

  test('the logs, to somebody who is no admin', async () => {
    const { errors } = await shopper.send('{ admin { services { name } } }');
    expect(errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
  });
});

test('the admin watches the log move while a shopper buys, with the trace of the order', async () => {
  const book = await bookWith(5);
  using shopper = await ShopClient.shopper(origin, 50_000);
  const lines = admin.subscribe<{ logs: { line: { event: string; traceId: string | null; service: string } } }>(
    'subscription { logs { cursor dropped line { time level service traceId event message } } }',
  );
  const services = new Set<string>();
  const seen = (async () => {
    for await (const { data } of lines) {
      if (data?.logs.line.traceId) services.add(data.logs.line.service);
      if (services.size > 0) return;
    }
  })();
  await shopper.buy(book, 1);
  await seen;
  expect([...services]).toContain('gateway');
});

test('every service is known to discovery', async () => {
  const names = await eventually('all services have registered', async () => {
    const { admin: root } = await admin.ask<{ admin: { services: readonly { name: string }[] } }>(
      '{ admin { services { name instance lastSeen } } }',
    );
    const found = new Set(root.services.map((service) => service.name));
    return found.has('users') && found.has('gateway') && found.size >= 3 ? found : null;
  });
  expect(names.has('users')).toBe(true);
});
