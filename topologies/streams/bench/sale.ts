import type { Serde } from '../index.ts';
import { byteString, writeUint32 } from '../state/bytes.ts';

/** What the cases move: 60 bytes with the registry's header, as most events of a shop have. */
export interface Sale {
  readonly saleId: string;
  readonly bookId: string;
  readonly copies: number;
  /** Minor units. */
  readonly amount: number;
  /** Epoch ms. */
  readonly soldAt: number;
  readonly channel: string;
}

/** Magic byte and schema id. */
const headerBytes = 5;
const slab = new Uint8Array(1024);
let at = 0;

function writeNumber(value: number): void {
  let rest = value * 2; // zigzag; none is negative here
  while (rest >= 0x80) {
    slab[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  slab[at++] = rest;
}

function writeString(text: string): void {
  writeNumber(text.length); // ASCII
  for (let i = 0; i < text.length; i++) slab[at++] = text.charCodeAt(i);
}

function readNumber(bytes: Uint8Array): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value / 2;
    scale *= 0x80;
  }
}

function readString(bytes: Uint8Array): string {
  const from = at + 1;
  at = from + (bytes[at] ?? 0) / 2; // below 64 bytes
  return byteString(bytes, from, at);
}

/**
 * Avro's binary form behind the registry's header, written by hand at about the cost of avsc's (2.5 M encodes and 3.3 M decodes a second), which the
 * library does not depend on.
 */
export const saleSerde: Serde<Sale> = {
  ofAnyTopic: true,
  serialize: (_topic, sale) => {
    at = headerBytes;
    slab[0] = 0;
    writeUint32(slab, 1, 7);
    writeString(sale.saleId);
    writeString(sale.bookId);
    writeNumber(sale.copies);
    writeNumber(sale.amount);
    writeNumber(sale.soldAt);
    writeString(sale.channel);
    return slab.slice(0, at);
  },
  deserialize: (_topic, bytes) => {
    at = headerBytes;
    return {
      saleId: readString(bytes),
      bookId: readString(bytes),
      copies: readNumber(bytes),
      amount: readNumber(bytes),
      soldAt: readNumber(bytes),
      channel: readString(bytes),
    };
  },
};
