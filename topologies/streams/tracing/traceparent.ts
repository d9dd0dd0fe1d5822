import type { Header } from '../kafka/port.ts';
import { byteString } from '../state/bytes.ts';
import type { SpanContext } from './tracer.ts';

const headerName = 'traceparent';
const form = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|(?<!^00.{53})-)/;
const utf8 = new TextEncoder();

/** W3C Trace Context of a record; null where it has none, or one that is not valid: the specification says to begin anew then. */
export function traceparentOf(headers: readonly Header[]): SpanContext | null {
  for (const [name, value] of headers) {
    if (name !== headerName) continue;
    const [, traceId, spanId, flags] = form.exec(byteString(value)) ?? [];
    if (traceId === undefined || spanId === undefined || flags === undefined) return null;
    return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  }
  return null;
}

/** The headers with another traceparent; `tracestate` and all others stay. */
export function withTraceparent(headers: readonly Header[], { traceId, spanId, traceFlags }: SpanContext): Header[] {
  const flags = (traceFlags & 0xff).toString(16).padStart(2, '0');
  const own: Header = [headerName, utf8.encode(`00-${traceId}-${spanId}-${flags}`)];
  return headers.map((header) => (header[0] === headerName ? own : header));
}
