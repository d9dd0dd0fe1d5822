import { type ByteReader, putBytes, putVarint, varintSize } from './bytes.ts';
import type { Header } from './port.ts';

/*
 * What a record (magic 2) has behind its deltas: varint key length (-1: null), key, varint value length, value, varint count of headers; of each header
 * varint length of the name, name, varint length of the value, value.
 */

const noHeaders: readonly Header[] = [];

const fieldSize = (bytes: Uint8Array | null): number => (bytes === null ? 1 : varintSize(bytes.length) + bytes.length);

const headerSize = ([name, value]: Header): number => {
  const length = Buffer.byteLength(name);
  return varintSize(length) + length + fieldSize(value);
};

export const fieldsSize = (key: Uint8Array | null, value: Uint8Array | null, headers: readonly Header[]): number => {
  let size = fieldSize(key) + fieldSize(value) + varintSize(headers.length);
  for (const header of headers) size += headerSize(header);
  return size;
};

const putField = (slab: Uint8Array, at: number, bytes: Uint8Array | null): number =>
  bytes === null ? putVarint(slab, at, -1) : putBytes(slab, putVarint(slab, at, bytes.length), bytes);

/** Where there is room for them. */
export const putFields = (
  slab: Uint8Array,
  from: number,
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly Header[],
): void => {
  let at = putField(slab, from, key);
  at = putField(slab, at, value);
  at = putVarint(slab, at, headers.length);
  for (const [name, bytes] of headers) at = putField(slab, putField(slab, at, Buffer.from(name, 'utf8')), bytes);
};

export const readHeaders = (reader: ByteReader): readonly Header[] => {
  const count = reader.varint();
  if (count === 0) return noHeaders;
  const headers: Header[] = [];
  for (let index = 0; index < count; index++) {
    const name = reader.bytes(reader.varint()).toString('utf8');
    const length = reader.varint();
    headers.push([name, length < 0 ? Buffer.alloc(0) : reader.bytes(length)]);
  }
  return headers;
};
