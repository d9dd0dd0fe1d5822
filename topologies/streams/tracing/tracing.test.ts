import { describe, expect, test } from 'vitest';
import type { Header } from '../kafka/port.ts';
import { deadLetterTopicOf } from '../runtime/dead-letter.ts';
import { number, setUp } from '../test/scripted-run.ts';
import { input, output, summing } from '../test/summing.ts';
import { ApplicationTracing } from './application-tracing.ts';
import { traceparentOf, withTraceparent } from './traceparent.ts';
import type { SpanContext, SpanOptions } from './tracer.ts';

const traceId = (digit: string): string => digit.repeat(32);
const parentSpan = 'a'.repeat(16);
const text = (value: string): Header => ['traceparent', Buffer.from(value)];
const sampled = (digit: string): Header => text(`00-${traceId(digit)}-${parentSpan}-01`);

interface Told {
  readonly name: string;
  readonly options: SpanOptions;
  readonly parent: SpanContext | null;
  readonly context: SpanContext;
  ended: boolean;
  error: string | null;
}

/** Keeps what it is told. Ids count up. */
function recording(maxRecordSpans?: number) {
  const spans: Told[] = [];
  const tracing = new ApplicationTracing('app', {
    ...(maxRecordSpans !== undefined && { maxRecordSpans }),
    contextOf: (parent) => parent,
    tracer: {
      startSpan: (name, options, parent?: SpanContext) => {
        const spanId = String(spans.length + 1).padStart(16, '0');
        const context = { traceId: parent?.traceId ?? traceId('f'), spanId, traceFlags: 1 };
        const span: Told = { name, options, parent: parent ?? null, context, ended: false, error: null };
        spans.push(span);
        return {
          spanContext: () => context,
          setAttribute: () => {},
          setStatus: ({ message }) => {
            span.error = message;
          },
          end: () => {
            span.ended = true;
          },
        };
      },
    },
  });
  return { spans, tracing };
}

const traced = (key: string, value: number, ...headers: Header[]) => ({ ...number(key, value), headers });

test('a sampled record has a span in its trace, its outputs belong to it, and the commit is linked with it', async () => {
  const { spans, tracing } = recording();
  const { port, runner } = setUp(summing(), 1, { tracing });
  await runner.start();
  port.append([
    traced('k', 3, ['shop', Buffer.from('x')], sampled('1')),
    traced('k', 4),
    traced('k', 5, text('00-bad')),
  ]);
  await expect
    .poll(() => spans.map(({ name, ended }) => [name, ended]))
    .toEqual([
      ['process sum-in', true],
      ['commit app', true],
    ]);
  const [record, commit] = spans;
  expect(record?.parent).toEqual({ traceId: traceId('1'), spanId: parentSpan, traceFlags: 1, isRemote: true });
  expect(record?.options.attributes).toMatchObject({
    'messaging.system': 'kafka',
    'messaging.destination.name': 'sum-in',
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': 0,
    'streams.task': '0_0',
  });
  expect(commit?.options).toMatchObject({ root: true, links: [{ context: record?.context }] });
  expect(commit?.options.attributes).toMatchObject({ 'messaging.batch.message_count': 4, 'streams.sampled': 1 });
  const headers = port.broker
    .records(output.name)
    .map((one) => one.headers.map(([name, value]) => [name, Buffer.from(value).toString()]));
  expect(headers).toEqual([
    [
      ['shop', 'x'],
      ['traceparent', `00-${traceId('1')}-${record?.context.spanId}-01`],
    ],
    [],
    [['traceparent', '00-bad']],
  ]);
  await runner.close();
});

test('what was not sampled makes no span and goes on as it is; beyond the limit records are linked only', async () => {
  const { spans, tracing } = recording(1);
  const { port, runner } = setUp(summing(), 1, { tracing });
  await runner.start();
  port.append([traced('k', 3, text(`00-${traceId('1')}-${parentSpan}-00`))]);
  await expect.poll(() => port.broker.records(output.name).length).toBe(1);
  expect(spans).toEqual([]);
  expect(traceparentOf(port.broker.records(output.name)[0]?.headers ?? [])?.spanId).toBe(parentSpan);
  port.append([traced('k', 3, sampled('2')), traced('k', 3, sampled('3'))]);
  await expect.poll(() => spans.map(({ name }) => name)).toEqual(['process sum-in', 'commit app']);
  expect(spans[1]?.options.links?.map(({ context }) => context.traceId)).toEqual([traceId('2'), traceId('3')]);
  port.append([traced('k', 3, sampled('4'))]);
  await expect.poll(() => spans.length).toBe(4); // the next commit has room again
  await runner.close();
});

test('a node that fails and a commit that fails say so', async () => {
  const { spans, tracing } = recording();
  const { port, runner } = setUp(summing(), 1, { tracing, onFailure: 'dead-letter' });
  await runner.start();
  port.append([traced('k', 2 ** 53 - 1, sampled('1'))]);
  await expect.poll(() => port.broker.records(output.name).length).toBe(1);
  port.append([traced('k', 1, sampled('2'))]); // the sum is beyond ±2^53
  await expect.poll(() => port.broker.records(deadLetterTopicOf(input.name)).length).toBe(1);
  expect(spans.map(({ error }) => error?.includes('is not a whole number') ?? null)).toEqual([null, null, true, null]);
  port.onCommit = async () => {
    port.onCommit = async () => {};
    throw new Error('refused');
  };
  port.append([traced('other', 1, sampled('3'))]);
  await expect
    .poll(() => spans.map(({ error, ended }) => ended && error).slice(4))
    .toEqual([null, 'refused', null, null]);
  await runner.close();
});

describe('traceparent', () => {
  test.each([
    ['all zeros as trace id', `00-${'0'.repeat(32)}-${parentSpan}-01`],
    ['all zeros as span id', `00-${traceId('1')}-${'0'.repeat(16)}-01`],
    ['version ff', `ff-${traceId('1')}-${parentSpan}-01`],
    ['more fields than version 00 has', `00-${traceId('1')}-${parentSpan}-01-x`],
    ['upper case', `00-${traceId('A')}-${parentSpan}-01`],
    ['cut short', `00-${traceId('1')}-${parentSpan}-0`],
    ['nothing', ''],
  ])('%s is refused', (_what, value) => {
    expect(traceparentOf([text(value)])).toBeNull();
  });

  test('a later version with more fields is read by its first four', () => {
    expect(traceparentOf([text(`01-${traceId('1')}-${parentSpan}-01-more`)])?.traceId).toBe(traceId('1'));
  });

  test('what is written is read again', () => {
    const context = { traceId: traceId('2'), spanId: 'b'.repeat(16), traceFlags: 3 };
    expect(traceparentOf(withTraceparent([sampled('1')], context))).toEqual({ ...context, isRemote: true });
  });
});
