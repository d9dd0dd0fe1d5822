import { afterAll, expect, inject, test } from 'vitest';
import { Discovery } from '../discovery/discovery.ts';
import { readMetrics, type ToldFamily } from './metrics-answer.ts';
import { newBook } from './new-book.ts';
import { eventually, ShopClient } from './shop-client.ts';

const { origin, urls } = inject('platform');
const discovery = new Discovery({ redisUrl: urls.REDIS_URL });
afterAll(() => discovery.close());

/** What the one process of a service answers, every line of it read. */
async function metricsOf(service: string): Promise<ReadonlyMap<string, ToldFamily>> {
  const [instance] = await discovery.listInstances(service);
  if (instance === undefined) throw new Error(`no ${service} runs`);
  const response = await fetch(new URL('/metrics', instance.healthUrl));
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  return readMetrics(await response.text());
}

type Labels = Readonly<Record<string, string>>;

/** The sum of the samples that have these labels. */
const sumOf = (family: ToldFamily | undefined, wanted: Labels = {}, suffix = ''): number =>
  (family?.samples ?? [])
    .filter(
      ({ name, labels }) => name.endsWith(suffix) && Object.entries(wanted).every(([key, is]) => labels[key] === is),
    )
    .reduce((sum, { value }) => sum + value, 0);

test('every process tells what it measures: the process itself, its applications, its projections, what is asked of it', async () => {
  using admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');
  using shopper = await ShopClient.shopper(origin, 10_000);
  const book = await newBook(admin, 3, 1_000);
  const placed = async () =>
    sumOf((await metricsOf('gateway')).get('gateway_operations_total'), { operation: 'orderPlace', outcome: 'ok' });
  const before = await placed();
  expect((await shopper.buy(book, 1)).order?.status).toBe('CONFIRMED');
  expect(await placed()).toBe(before + 1);

  for (const service of ['gateway', 'users', 'worker']) {
    const own = await metricsOf(service);
    for (const name of [
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_heap_size_used_bytes',
      'process_resident_memory_bytes',
    ])
      expect(sumOf(own.get(name)), `${service}: ${name}`).toBeGreaterThan(0);
    expect(own.get('process_cpu_seconds_total')?.type).toBe('counter');
    expect(own.get('nodejs_gc_duration_seconds')?.type).toBe('histogram');
  }

  const worker = await metricsOf('worker');
  const types = Object.fromEntries([...worker].map(([name, { type }]) => [name, type]));
  expect(types).toMatchObject({
    streams_records_in_total: 'counter',
    streams_records_out_total: 'counter',
    streams_records_dropped_total: 'counter',
    streams_record_lateness_seconds: 'summary',
    streams_end_to_end_latency_seconds: 'histogram',
    streams_commit_seconds: 'histogram',
    streams_aborts_total: 'counter',
    streams_restore_left_records: 'gauge',
    streams_input_lag_records: 'gauge',
    streams_parked_records: 'gauge',
    streams_rebalances_total: 'counter',
    streams_application_state: 'gauge',
    projection_lag_records: 'gauge',
  });
  for (const application of ['bookstream-order-process', 'bookstream-stock', 'bookstream-wallet']) {
    expect(sumOf(worker.get('streams_records_in_total'), { application }), application).toBeGreaterThan(0);
    expect(sumOf(worker.get('streams_commit_seconds'), { application }, '_count'), application).toBeGreaterThan(0);
    expect(sumOf(worker.get('streams_rebalances_total'), { application }), application).toBeGreaterThan(0);
    expect(sumOf(worker.get('streams_application_state'), { application, state: 'RUNNING' })).toBe(1);
  }
  await eventually('the projections have caught up', async () => {
    const lag = (await metricsOf('worker')).get('projection_lag_records');
    return (
      sumOf(lag, { projection: 'orders' }) === 0 && lag?.samples.some(({ labels }) => labels.projection === 'orders')
    );
  });
});

test('sockets and feeds are counted while they are open, and no label is anybody', async () => {
  using admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');
  const open = async () => {
    const gateway = await metricsOf('gateway');
    return [
      sumOf(gateway.get('gateway_open_websockets')),
      sumOf(gateway.get('gateway_open_feeds'), { operation: 'logs' }),
    ];
  };
  const [sockets = 0, feeds = 0] = await open();
  const lines = admin.subscribe('subscription { logs { dropped } }');
  const first = lines.next();
  await eventually('both are counted', async () => String(await open()) === String([sockets + 1, feeds + 1]));
  await lines.return?.();
  await first; // it has ended, with a line or without
  await eventually('the feed has ended', async () => (await open())[1] === feeds);
  for (const [name, { samples }] of await metricsOf('gateway'))
    for (const { labels } of samples)
      for (const value of Object.values(labels)) expect(value, name).not.toMatch(/@|[0-9a-f]{8}-[0-9a-f]{4}/);
});
