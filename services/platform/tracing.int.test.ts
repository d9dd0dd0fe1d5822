import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { OtlpCollector } from '../e2e/otlp-collector.ts';
import { freePort } from '../engines/ports.ts';
import { createLogger } from './logger.ts';
import { newTrace } from './trace.ts';
import { startTracing, type Tracing } from './tracing.ts';

function logging() {
  const events: string[] = [];
  const write = (line: string) => void events.push((JSON.parse(line) as { event: string }).event);
  return { events, logger: createLogger({ service: 'stock', instance: 'stock-1', write }) };
}

async function tracingTo(origin: string, logger = logging().logger): Promise<Tracing> {
  const tracing = await startTracing(
    'stock',
    { tracesUrl: `${origin}/v1/traces`, tracesRatio: 1, instance: 'stock-1' },
    logger,
  );
  if (tracing === null) throw new Error('there is a collector, and no tracing');
  return tracing;
}

/** How long it took, ms. */
async function timed(work: Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work;
  return performance.now() - since;
}

test('what has been traced is with the collector when the process has closed', async () => {
  await using collector = new OtlpCollector();
  const { events, logger } = logging();
  const tracing = await tracingTo(await collector.listen(), logger);
  const parent = newTrace();
  const span = tracing.serve('graphql', parent);
  span.is('query books', {});
  span.end();
  expect(collector.spans).toEqual([]);
  await tracing.close();
  expect(collector.spans).toMatchObject([
    {
      ...{ service: 'bookstream-stock', name: 'query books', kind: 2 }, // SPAN_KIND_SERVER of OTLP
      ...{ traceId: parent.traceId, parentSpanId: parent.spanId, spanId: span.trace.spanId },
    },
  ]);
  expect(events).toEqual([]);
});

test('a collector that is away keeps nobody waiting: neither the start, nor the work, nor the end', async () => {
  const { events, logger } = logging();
  const tracing = await tracingTo(`http://127.0.0.1:${await freePort()}`, logger);
  const since = performance.now();
  for (let span = 0; span < 5_000; span += 1) tracing.serve('graphql', null).end();
  expect(performance.now() - since).toBeLessThan(2_000);
  expect(await timed(tracing.close())).toBeLessThan(4_000);
  expect(events).toEqual(['traces-not-flushed']);
});

test('nor does one that takes connections and never answers', async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { events, logger } = logging();
  const tracing = await tracingTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, logger); // a TCP server's address
  tracing.serve('graphql', null).end();
  expect(await timed(tracing.close())).toBeLessThan(4_000);
  expect(events).toEqual(['traces-not-flushed']);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Packages of OpenTelemetry that a process of a service has loaded when it is about to connect. */
async function loaded(service: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const script = `
    import { registerHooks } from 'node:module';
    const names = new Set();
    registerHooks({ load(url, context, next) {
      const name = /node_modules\\/(@opentelemetry\\/[\\w-]+)\\//.exec(url)?.[1];
      if (name !== undefined) names.add(name);
      return next(url, context);
    } });
    await import(${JSON.stringify(join(import.meta.dirname, '..', service, 'main.ts'))});
    const { readConfig } = await import(${JSON.stringify(join(import.meta.dirname, 'config.ts'))});
    const { startTracing } = await import(${JSON.stringify(join(import.meta.dirname, 'tracing.ts'))});
    await startTracing('test', readConfig(), { warn() {}, info() {} });
    console.log(JSON.stringify([...names].sort()));
    process.exit(0);`;
  const urls = {
    ...{ KAFKA_URL: '127.0.0.1:9', REGISTRY_URL: 'http://127.0.0.1:9', REDIS_URL: 'redis://127.0.0.1:9' },
    ...{ POSTGRES_URL: 'postgres://127.0.0.1:9/x', USERS_POSTGRES_URL: 'postgres://127.0.0.1:9/x' },
    MONGO_URL: 'mongodb://127.0.0.1:9/x',
  };
  const { OTEL_EXPORTER_OTLP_ENDPOINT: _, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: __, ...own } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...own, ...urls, ...env },
  });
  return JSON.parse(stdout) as string[]; // what the script prints
}

test.each(['gateway', 'users', 'stock'])(
  'without a collector %s loads nothing of OpenTelemetry but the API that prom-client asks for',
  async (service) => {
    expect(await loaded(service, {})).toEqual(['@opentelemetry/api']);
    const traced = await loaded(service, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
    expect(traced).toEqual(
      expect.arrayContaining(['@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/sdk-trace']),
    );
  },
);
