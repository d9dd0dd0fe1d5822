import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inPlace, type Serde, Serdes } from './index.ts';
import { partReaderOf } from './serde.ts';

const outcome = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
};

const readInPlace = [
  ['string', Serdes.string as Serde<unknown>], // what it reads is only compared
  ['long', Serdes.long as Serde<unknown>],
  ['integer', Serdes.integer as Serde<unknown>],
] as const;

describe.each(readInPlace)('%s', (_name, serde) => {
  test('reads the same where it stands among other bytes, and refuses the same', () => {
    const some = fc.uint8Array({ maxLength: 80 });
    const eight = fc.uint8Array({ minLength: 8, maxLength: 8 });
    const text = fc.string({ unit: 'binary' }).map((value) => new TextEncoder().encode(value));
    fc.assert(
      fc.property(some, fc.oneof(some, eight, text), some, (before, bytes, behind) => {
        const among = Buffer.concat([before, bytes, behind]);
        const [from, to] = [before.length, before.length + bytes.length];
        const there = outcome(() => partReaderOf(serde)?.('t', among, from, to));
        expect(there).toEqual(outcome(() => serde.deserialize('t', bytes)));
      }),
    );
  });
});

test('who puts another deserialize in its place is asked, and not what was there before', () => {
  const upper: Serde<string> = {
    ...Serdes.string,
    deserialize: (topic, bytes) => Serdes.string.deserialize(topic, bytes).toUpperCase(),
  };
  expect(partReaderOf(upper)).toBe(undefined);
  const read = inPlace((_topic, bytes, from, to) => bytes.slice(from, to).toReversed());
  expect(partReaderOf({ ...Serdes.bytes, deserialize: read })?.('t', Uint8Array.of(9, 1, 2, 9), 1, 3)).toEqual(
    Uint8Array.of(2, 1),
  );
});
