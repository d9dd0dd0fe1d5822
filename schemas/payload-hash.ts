import { createHash } from 'node:crypto';

/** Members in the order of their names, bigints as digits, no white space: equal inputs have one text (after RFC 8785). */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** SHA-256 (hex) of what a person asked for: the same key with another hash is another intent. */
export const payloadHashOf = (input: unknown): string =>
  createHash('sha256').update(canonicalJson(input)).digest('hex');
