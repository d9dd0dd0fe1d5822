import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { GraphQLError, parse } from 'graphql';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { tracingOver } from '../platform/open-telemetry.ts';
import { formatTrace, newTrace } from '../platform/trace.ts';
import { refusal } from './errors.ts';
import { GatewayMetrics } from './metrics.ts';
import { askedOf, Operations, outcomeOf } from './operations.ts';
import { schema } from './schema.ts';

const asked = (query: string, name?: string) => {
  const { type, operation } = askedOf(schema, parse(query), name);
  return `${type} ${operation}`;
};

describe('what is asked', () => {
  test.each([
    ['{ viewer { id } }', 'query viewer'],
    ['query Of4711 { mine: viewer { id } }', 'query viewer'],
    ['mutation { logout { userErrors { code } } }', 'mutation logout'],
    ['subscription { logs { dropped } }', 'subscription logs'],
    ['{ viewer { id } books(first: 1) { edges { cursor } } }', 'query other'],
    ['{ __schema { queryType { name } } }', 'query other'],
    ['{ constructor }', 'query other'],
    ['{ ...all } fragment all on Query { viewer { id } }', 'query other'],
    ['mutation { viewer { id } }', 'mutation other'],
    ['query a { viewer { id } } query b { viewer { id } }', 'unknown other'],
  ])('%s is %s', (query, is) => {
    expect(asked(query)).toBe(is);
  });

  test('of several operations is the one that is named', () => {
    expect(asked('query a { viewer { id } } mutation b { logout { userErrors { code } } }', 'b')).toBe(
      'mutation logout',
    );
  });
});

test('a fault of the shop is told from a refusal, masked or not', () => {
  const thrown = new GraphQLError('no rows', { originalError: new TypeError('no rows') });
  expect(outcomeOf(undefined)).toBe('ok');
  expect(outcomeOf([refusal('FORBIDDEN', 'not yours')])).toBe('refused');
  expect(outcomeOf([new GraphQLError('x', { originalError: refusal('FORBIDDEN', 'not yours') })])).toBe('refused');
  expect(outcomeOf([refusal('FORBIDDEN', 'not yours'), thrown])).toBe('failed');
  expect(outcomeOf([refusal('INTERNAL', 'masked')])).toBe('failed');
  expect(outcomeOf([refusal('UNAVAILABLE', 'users is away')])).toBe('failed');
});

test('an operation goes on in the trace that it came with, at a place of its own', () => {
  const operations = new Operations(new GatewayMetrics(new Registry()), null);
  const parent = newTrace();
  const { trace } = operations.begin(parent);
  expect(trace.traceId).toBe(parent.traceId);
  expect(formatTrace(trace)).not.toBe(formatTrace(parent));
  expect(operations.begin(null).trace.traceId).not.toBe(parent.traceId);
});

test('where traces are wanted it is a server span, whose id is the one that the log and the commands have', () => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const operations = new Operations(new GatewayMetrics(new Registry()), tracingOver(provider));
  const ends = [undefined, [refusal('FORBIDDEN', 'not yours')], [refusal('INTERNAL', 'masked')]];
  const traces = ends.map((errors) => {
    const operation = operations.begin(null);
    operation.is({ type: 'mutation', operation: 'orderPlace' });
    operation.answered(errors);
    operation.answered(errors);
    return operation.trace;
  });
  const spans = exporter.getFinishedSpans();
  expect(spans.map((span) => [span.name, span.kind, span.status.code])).toEqual([
    ['mutation orderPlace', 1, 0],
    ['mutation orderPlace', 1, 0], // a refusal is no fault
    ['mutation orderPlace', 1, 2],
  ]);
  expect(spans.map((span) => span.spanContext())).toMatchObject(
    traces.map(({ traceId, spanId }) => ({ traceId, spanId, traceFlags: 1 })),
  );
});

test('a feed counts until it has ended, failed, or its reader has gone; its answer is counted once', async () => {
  const registry = new Registry();
  const operations = new Operations(new GatewayMetrics(registry), null);
  const open = async () => (await registry.getSingleMetric('gateway_open_feeds')?.get())?.values[0]?.value;
  const feed = (items: () => AsyncGenerator<number>) => {
    const operation = operations.begin(null);
    operation.is({ type: 'subscription', operation: 'logs' });
    return operation.feeds(items());
  };
  const two = async function* () {
    yield 1;
    yield 2;
  };
  const read: number[] = [];
  for await (const item of feed(two)) read.push(item, Number(await open()));
  expect([read, await open()]).toEqual([[1, 1, 2, 1], 0]);

  for await (const _ of feed(two)) break;
  expect(await open()).toBe(0);

  const broken = feed(async function* () {
    yield 1;
    throw new Error('the broker is away');
  });
  await broken.next();
  await expect(broken.next()).rejects.toThrow('the broker is away');
  expect(await open()).toBe(0);
  await broken.return?.();
  expect(await open()).toBe(0);

  const answered = await registry.getSingleMetric('gateway_operations_total')?.get();
  expect(answered?.values).toEqual([{ value: 3, labels: { type: 'subscription', operation: 'logs', outcome: 'ok' } }]);
});
