import type { Header, Span, SpanContext, Tracer, TracingOptions } from '@bookstream/streams';
import { ApplicationTracing } from '@bookstream/streams/tracing/application-tracing';
import { type Span as ApiSpan, type Tracer as ApiTracer, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { tracingOver } from './open-telemetry.ts';
import { formatTrace, newTrace, parseTrace, traceHeader } from './trace.ts';

function recording(ratio = 1) {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const told = () =>
    exporter.getFinishedSpans().map((span) => ({
      ...{ name: span.name, kind: span.kind, status: span.status, attributes: span.attributes },
      ...{ context: span.spanContext(), parent: span.parentSpanContext },
      links: span.links.map(({ context }) => context.spanId),
    }));
  return { tracing: tracingOver(provider), told };
}

const record = (traceparent: string, offset = 0) => ({
  ...{ topic: 'orders.commands', partition: 3, offset, timestamp: 1, key: null, value: null },
  headers: [[traceHeader, Buffer.from(traceparent)]] as Header[],
});

const traceOf = (headers: readonly Header[] = []) =>
  parseTrace(headers.map(([, value]) => Buffer.from(value).toString())[0]);

test("OpenTelemetry's tracer is the engine's, by structure", () => {
  expectTypeOf<ApiTracer>().toExtend<Tracer>();
  expectTypeOf<ApiSpan>().toExtend<Span>();
  const contextOf = (parent: SpanContext) => trace.setSpanContext(ROOT_CONTEXT, parent);
  expectTypeOf(contextOf).toExtend<TracingOptions['contextOf']>();
  expectTypeOf<{ tracer: ApiTracer; contextOf: typeof contextOf }>().toExtend<TracingOptions>();
});

describe('of the engine', () => {
  test('a record is a consumer span in its trace, what it sends belongs to it, and its commit is linked with it', () => {
    const { tracing, told } = recording();
    const application = new ApplicationTracing('bookstream-orders', tracing.engine);
    const parent = newTrace();
    const span = application.record(record(formatTrace(parent), 17), '0_3');
    span?.end();
    application.commit(4)?.end();
    const [processed, committed] = told();
    expect(processed).toMatchObject({
      ...{ name: 'process orders.commands', kind: 4, status: { code: 0 } },
      context: { traceId: parent.traceId, traceFlags: 1 },
      parent: { traceId: parent.traceId, spanId: parent.spanId, isRemote: true },
    });
    expect(processed?.attributes).toEqual({
      'messaging.system': 'kafka',
      'messaging.operation.type': 'process',
      'messaging.consumer.group.name': 'bookstream-orders',
      'messaging.destination.name': 'orders.commands',
      'messaging.destination.partition.id': '3',
      'messaging.kafka.offset': 17,
      'streams.task': '0_3',
    });
    const sent = traceOf(span?.headers);
    expect(sent).toEqual({ traceId: parent.traceId, spanId: processed?.context.spanId, sampled: true });
    expect(committed).toMatchObject({ name: 'commit bookstream-orders', links: [processed?.context.spanId] });
    expect(committed?.parent).toBeUndefined();
    expect(committed?.context.traceId).not.toBe(parent.traceId);
    expect(committed?.attributes).toMatchObject({ 'messaging.batch.message_count': 4, 'streams.sampled': 1 });
  });

  test('what a node and a commit fail with is their status', () => {
    const { tracing, told } = recording();
    const application = new ApplicationTracing('bookstream-orders', tracing.engine);
    application.record(record(formatTrace(newTrace())), '0_3')?.end(new Error('no such book'));
    application.commit(1)?.end('FENCED');
    expect(told().map(({ status }) => status)).toEqual([
      { code: 2, message: 'no such book' },
      { code: 2, message: 'FENCED' },
    ]);
  });

  test('what is not sampled makes no span, whatever the ratio', () => {
    const { tracing, told } = recording();
    const application = new ApplicationTracing('bookstream-orders', tracing.engine);
    expect(application.record(record(formatTrace({ ...newTrace(), sampled: false })), '0_3')).toBeNull();
    expect(application.commit(1)).toBeNull();
    expect(told()).toEqual([]);
  });
});

describe('of a request', () => {
  test('its span goes on in the trace that it came with, and the place that is handed on is its own', () => {
    const { tracing, told } = recording(0); // a trace that has begun is sampled as it came
    const parent = newTrace();
    const span = tracing.serve('graphql', parent);
    span.is('mutation orderPlace', { 'graphql.operation.type': 'mutation' });
    span.end();
    expect(span.trace).toMatchObject({ traceId: parent.traceId, sampled: true });
    expect(told()).toMatchObject([
      {
        ...{ name: 'mutation orderPlace', kind: 1, status: { code: 0 } },
        attributes: { 'graphql.operation.type': 'mutation' },
        context: { traceId: parent.traceId, spanId: span.trace.spanId },
        parent: { spanId: parent.spanId, isRemote: true },
      },
    ]);
  });

  test('a trace that begins here has an id for the log, sampled or not', () => {
    for (const [ratio, spans] of [
      [1, 1],
      [0, 0],
    ] as const) {
      const { tracing, told } = recording(ratio);
      const span = tracing.serve('graphql', null);
      span.end();
      expect(parseTrace(formatTrace(span.trace))).toEqual({ ...span.trace, sampled: ratio === 1 });
      expect(told()).toHaveLength(spans);
    }
  });

  test('one that is not sampled stays so, in its trace', () => {
    const { tracing, told } = recording();
    const parent = { ...newTrace(), sampled: false };
    const span = tracing.serve('graphql', parent);
    span.is('query books', {});
    span.end('it failed');
    expect(span.trace).toMatchObject({ traceId: parent.traceId, sampled: false });
    expect(told()).toEqual([]);
  });

  test('a fault of the shop is its status', () => {
    const { tracing, told } = recording();
    tracing.serve('graphql', null).end('it failed');
    expect(told()[0]?.status).toEqual({ code: 2, message: 'it failed' });
  });
});
