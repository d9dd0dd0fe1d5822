import type { RowAnswer } from './queried-instance.ts';
import type { RowQuery } from './row-query.ts';

/** Queries and answers as JSON: bytes in base64, under a member of their own, so that no text is taken for them. */
export const encodeQuery = (query: RowQuery): string => JSON.stringify(query, bytesAsText);
export const encodeAnswer = (answer: RowAnswer | null): string => JSON.stringify(answer, bytesAsText);

/** @throws SyntaxError, TypeError – it is none */
export function decodeQuery(json: unknown): RowQuery {
  const query = json as Partial<Record<string, unknown>>; // every member is looked at below
  const bytes = (name: string): Uint8Array | null => {
    const value = query[name];
    if (value === null) return null;
    if (typeof value === 'object' && value !== null && 'base64' in value && typeof value.base64 === 'string')
      return Buffer.from(value.base64, 'base64');
    throw new TypeError(`a query of type ${query.type} needs bytes or null as its ${name}`);
  };
  const number = (name: string): number => {
    const value = query[name];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new TypeError(`a query of type ${query.type} needs a number as its ${name}`);
  };
  switch (query.type) {
    case 'get': {
      const key = bytes('key');
      if (key === null) throw new TypeError('a query of type get needs a key');
      return { type: 'get', key, asOfMs: query.asOfMs === null ? null : number('asOfMs') };
    }
    case 'range':
      return { type: 'range', from: bytes('from'), to: bytes('to'), limit: number('limit') };
    case 'fetch':
      return {
        type: 'fetch',
        key: bytes('key'),
        fromMs: number('fromMs'),
        toMs: number('toMs'),
        limit: number('limit'),
      };
    default:
      throw new TypeError(`there are no queries of type ${query.type}`);
  }
}

/** Of what another instance of this library has written. */
export const decodeAnswer = (text: string): RowAnswer | null =>
  JSON.parse(text, (_name, value) =>
    typeof value === 'object' && value !== null && typeof value.base64 === 'string'
      ? Buffer.from(value.base64, 'base64')
      : value,
  );

/** Buffers have a `toJSON` of their own, which has run before a replacer sees them: so the holder is asked. */
function bytesAsText(this: Record<string, unknown>, name: string, value: unknown): unknown {
  const held = this[name];
  return held instanceof Uint8Array ? { base64: Buffer.from(held).toString('base64') } : value;
}
