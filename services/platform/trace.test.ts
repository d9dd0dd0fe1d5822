import fc from 'fast-check';
import { expect, test } from 'vitest';
import { childOf, formatTrace, newTrace, parseTrace } from './trace.ts';

test('what is written is read again', () => {
  const trace = newTrace();
  expect(parseTrace(formatTrace(trace))).toEqual(trace);
  expect(parseTrace(formatTrace({ ...trace, sampled: false }))?.sampled).toBe(false);
});

test('a child stays in the trace at a place of its own', () => {
  const trace = newTrace();
  const child = childOf(trace);
  expect(child.traceId).toBe(trace.traceId);
  expect(child.spanId).not.toBe(trace.spanId);
});

test.each([
  ['all zeros as trace id', `00-${'0'.repeat(32)}-${'a'.repeat(16)}-01`],
  ['all zeros as span id', `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`],
  ['version ff', `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
  ['more fields than version 00 has', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01-x`],
  ['upper case', `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`],
  ['nothing', ''],
])('%s is refused', (_what, header) => {
  expect(parseTrace(header)).toBeNull();
});

test('a later version with more fields is read by its first four', () => {
  expect(parseTrace(`01-${'a'.repeat(32)}-${'b'.repeat(16)}-01-more`)?.traceId).toBe('a'.repeat(32));
});

test('no string makes it throw', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseTrace(text)));
});
