import { randomBytes } from 'node:crypto';

/** A place in a trace as W3C Trace Context level 1 writes it: `00-<32 hex>-<16 hex>-<flags>`. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Name of the header on HTTP requests and Kafka records. */
export const traceHeader = 'traceparent';

const form = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const zero = /^0+$/;

export const newTrace = (): TraceContext => ({
  traceId: randomBytes(16).toString('hex'),
  spanId: randomBytes(8).toString('hex'),
  sampled: true,
});

/** The next step of the same trace. */
export const childOf = (context: TraceContext): TraceContext => ({
  ...context,
  spanId: randomBytes(8).toString('hex'),
});

export const formatTrace = (context: TraceContext): string =>
  `00-${context.traceId}-${context.spanId}-${context.sampled ? '01' : '00'}`;

/** @returns null for what is no valid traceparent: the specification says to begin a new trace then */
export function parseTrace(header: string | null | undefined): TraceContext | null {
  const match = form.exec(header?.trim() ?? '');
  const [, traceId, spanId, flags, rest] = match ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (zero.test(traceId) || zero.test(spanId)) return null;
  if (rest !== undefined && header?.trim().startsWith('00-')) return null; // version 00 has four fields, later ones may have more
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
