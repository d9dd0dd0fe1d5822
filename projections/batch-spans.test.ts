import type { SpanContext, TracingOptions } from '@bookstream/streams';
import type { ConsumedRecord } from '@bookstream/streams/kafka/port';
import { ApplicationTracing } from '@bookstream/streams/tracing/application-tracing';
import { expect, test } from 'vitest';
import { beginSpans } from './batch-spans.ts';

const traceparent = `00-${'1'.repeat(32)}-${'a'.repeat(16)}-01`;
const record = (offset: number, ...headers: ConsumedRecord['headers']): ConsumedRecord => ({
  ...{ topic: 'orders.view', partition: 2, offset, timestamp: 1, key: null, value: null },
  headers,
});
const sampled: ConsumedRecord['headers'][number] = ['traceparent', Buffer.from(traceparent)];

/** Each span as its name, trace and end. */
function recording() {
  const told: string[] = [];
  const options: TracingOptions = {
    contextOf: (parent) => parent,
    tracer: {
      startSpan: (name, { attributes }, parent?: SpanContext) => {
        let failure = 'ok';
        return {
          spanContext: () => ({ traceId: parent?.traceId ?? 'f'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }),
          setAttribute: () => {},
          setStatus: ({ message }) => {
            failure = message;
          },
          end: () =>
            told.push(`${name} ${attributes['messaging.kafka.offset'] ?? ''} ${parent?.traceId[0] ?? '-'} ${failure}`),
        };
      },
    },
  };
  return { told, tracing: new ApplicationTracing('bookstream-projection-orders', options) };
}

test('records that are sampled have spans in their traces, which end with the write of their batch', () => {
  const { told, tracing } = recording();
  const end = beginSpans(tracing, [record(7, sampled), record(8), record(9, sampled)]);
  expect(told).toEqual([]);
  end();
  expect(told).toEqual([
    'process orders.view 7 1 ok',
    'process orders.view 9 1 ok',
    'commit bookstream-projection-orders  - ok',
  ]);
});

test('a write that fails is the status of all of them; without tracing and without samples nothing is made', () => {
  const { told, tracing } = recording();
  beginSpans(tracing, [record(7, sampled)])(new Error('the database is away'));
  expect(told.map((line) => line.endsWith('the database is away'))).toEqual([true, true]);
  beginSpans(tracing, [record(8)])();
  beginSpans(undefined, [record(9, sampled)])();
  expect(told).toHaveLength(2);
});
