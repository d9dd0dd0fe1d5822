import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newBook } from '../e2e/new-book.ts';
import { OtlpCollector } from '../e2e/otlp-collector.ts';
import { type BookForSale, eventually, lineOf, ShopClient } from '../e2e/shop-client.ts';
import { freePort } from '../engines/ports.ts';
import { ephemeralFolder } from '../engines/start.ts';
import { formatTrace, newTrace, type TraceContext, traceHeader } from '../platform/trace.ts';
import { Platform } from './platform.ts';
import { seedThrough } from './seed-through.ts';
import { runSteps } from './steps.ts';

const variable = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const dataDir = ephemeralFolder();
const collector = new OtlpCollector();
let collectorPort: number;
let platform: Platform;

/** A shop as `npm start` brings it up where the environment names a collector. */
beforeAll(async () => {
  const endpoint = await collector.listen();
  collectorPort = Number(new URL(endpoint).port);
  process.env[variable] = endpoint;
  platform = new Platform({
    ...{ dataDir, ephemeral: true, web: false, seed: seedThrough },
    port: await freePort(),
    say: (line) => console.error(line),
    onGivenUp: (error) => console.error(error.message),
  });
  await runSteps(platform.steps());
}, 240_000);
afterAll(async () => {
  await platform?.close();
  await collector.close();
  delete process.env[variable];
}, 60_000);

/** The lines in which a process has logged an event. */
const logged = (child: string, event: string): readonly Record<string, unknown>[] =>
  readFileSync(join(dataDir, 'logs', `${child}.log`), 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"event":"${event}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Asks for one copy, in a trace of the caller's. @returns the trace id that the shop names */
async function orderIn(trace: TraceContext, book: BookForSale, token: string | null): Promise<string | null> {
  const query = 'mutation ($input: OrderPlaceInput!) { orderPlace(input: $input) { order { status } } }';
  const response = await fetch(`${platform.origin}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      [traceHeader]: formatTrace(trace),
    },
    body: JSON.stringify({ query, variables: { input: { idempotencyKey: randomUUID(), lines: [lineOf(book, 1)] } } }),
  });
  expect(await response.json()).toMatchObject({ data: { orderPlace: { order: { status: 'CONFIRMED' } } } });
  return response.headers.get('x-correlation-id');
}

test('an order is one trace from its caller through gateway and topologies to the read models, under the id that the log has', async () => {
  using admin = await ShopClient.login(platform.origin, 'admin@bookstream.test', 'bookstream-demo');
  using shopper = await ShopClient.shopper(platform.origin, 100_000);
  const book = await newBook(admin, 5, 1_000);
  const caller = newTrace();
  expect(await orderIn(caller, book, shopper.token)).toBe(caller.traceId);
  expect(logged('gateway', 'command-sent').map(({ traceId }) => traceId)).toContain(caller.traceId);

  const ofTrace = () => collector.spans.filter(({ traceId }) => traceId === caller.traceId);
  const steps = () => new Set(ofTrace().map(({ service, name }) => `${service}: ${name}`));
  const expected = [
    'bookstream-gateway: mutation orderPlace',
    ...[
      'orders.commands',
      'stock.commands',
      'wallets.commands',
      'reservations.events',
      'payments.events',
      'orders.events',
      'orders.view',
      'stock.events',
      'wallets.events',
      'notifications.events',
    ].map((topic) => `bookstream-worker: process ${topic}`),
  ];
  await eventually(
    'every step has come to the collector',
    async () => expected.every((step) => steps().has(step)),
    30_000,
  );

  const spans = ofTrace();
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const parentOf = (name: string) =>
    spans.filter((span) => span.name === name).map(({ parentSpanId = '' }) => byId.get(parentSpanId)?.name);
  const fromOutside = spans.filter(({ parentSpanId = '' }) => !byId.has(parentSpanId));
  expect(fromOutside).toMatchObject([{ name: 'mutation orderPlace', parentSpanId: caller.spanId }]);
  expect(new Set(parentOf('process orders.commands'))).toEqual(new Set(['mutation orderPlace']));
  expect(parentOf('process stock.commands')).toContain('process orders.commands');
  expect(new Set(parentOf('process reservations.events'))).toEqual(new Set(['process stock.commands']));
  expect(spans.filter(({ status }) => status.code === 2)).toEqual([]);
  const linked = collector.spans.filter(({ links }) => links?.some(({ traceId }) => traceId === caller.traceId));
  expect(linked.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['commit bookstream-order-process', 'commit bookstream-stock', 'commit bookstream-wallet']),
  );
}, 120_000);

test('what the gateway asks of users is in its trace', async () => {
  using _ = await ShopClient.login(platform.origin, 'ada@bookstream.test', 'bookstream-demo');
  await eventually(
    'a login has come to the collector with the request to users in it',
    async () =>
      collector.spans.some(
        ({ service, name, traceId, parentSpanId }) =>
          `${service}: ${name}` === 'bookstream-users: POST /internal/login' &&
          collector.spans.some((span) => span.traceId === traceId && span.spanId === parentSpanId),
      ),
    30_000,
  );
}, 60_000);

const tellers = ['gateway', 'worker'];

test('the shop goes on without its collector, and tells so once; spans are sent again when it is back', async () => {
  using admin = await ShopClient.login(platform.origin, 'admin@bookstream.test', 'bookstream-demo');
  using shopper = await ShopClient.shopper(platform.origin, 100_000);
  const book = await newBook(admin, 20, 1_000);
  const buys = async () => expect((await shopper.buy(book, 1)).order?.status).toBe('CONFIRMED');
  const bothTell = (event: string) =>
    eventually(
      `gateway and worker have logged ${event}`,
      async () => tellers.every((one) => logged(one, event)[0]),
      60_000,
    );
  await collector.close();
  await buys();
  await bothTell('traces-not-sent');
  await buys();
  await collector.listen(collectorPort);
  await buys();
  await bothTell('traces-sent-again');
  for (const child of tellers) {
    expect(Number(logged(child, 'traces-sent-again')[0]?.lost), child).toBeGreaterThan(0);
    expect(logged(child, 'traces-not-sent'), child).toHaveLength(1);
  }
}, 180_000);
