import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Serde } from '../../index.ts';
import { partReaderOf } from '../../serde.ts';
import { bookSalesSerde, orderSerde, orderStatusSerde, paymentSerde, reservationSerde } from './serdes.ts';

interface Schema {
  readonly name: string;
  readonly fields: readonly { readonly name: string; readonly type: 'string' | 'int' | 'long' }[];
}

const erased = <T>(serde: Serde<T>): Serde<unknown> => serde as Serde<unknown>; // looked up by the name of its schema
const serdes = new Map<string, readonly [id: number, serde: Serde<unknown>]>([
  ['Order', [1, erased(orderSerde)]],
  ['Reservation', [2, erased(reservationSerde)]],
  ['Payment', [3, erased(paymentSerde)]],
  ['OrderStatus', [4, erased(orderStatusSerde)]],
  ['BookSales', [5, erased(bookSalesSerde)]],
]);

const schemas: readonly Schema[] = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.avsc'))
  .map((name) => JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8')));

const zigzag = (value: number): readonly number[] => {
  const bytes: number[] = [];
  let rest = BigInt(value) >= 0n ? BigInt(value) << 1n : (-BigInt(value) << 1n) - 1n;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
};

/** Avro 1.12, "Binary encoding", field by field as the schema lists them. */
const encoded = (id: number, { fields }: Schema, record: Readonly<Record<string, unknown>>): Uint8Array =>
  Uint8Array.from([
    ...[0, 0, 0, 0, id],
    ...fields.flatMap(({ name, type }) => {
      const value = record[name];
      if (type !== 'string') return zigzag(Number(value));
      const text = new TextEncoder().encode(String(value));
      return [...zigzag(text.length), ...text];
    }),
  ]);

const recordOf = ({ fields }: Schema): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(
    Object.fromEntries(
      fields.map(({ name, type }) => [
        name,
        type === 'string'
          ? fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 60 }))
          : type === 'int'
            ? fc.integer()
            : fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 52), max: 2 ** 52 })),
      ]),
    ),
    { noNullPrototype: true },
  );

test('there is a serde for each schema', () => {
  expect(schemas.map(({ name }) => name).sort()).toEqual([...serdes.keys()].sort());
});

test.each(schemas)('$name: the bytes are those of its .avsc behind its id, and come back', (schema) => {
  const [id, serde] = serdes.get(schema.name) ?? [];
  if (id === undefined || serde === undefined) throw new Error('the test above says so');
  fc.assert(
    fc.property(recordOf(schema), recordOf(schema), (record, other) => {
      const bytes = serde.serialize('t', record);
      serde.serialize('t', other); // writes behind it, and must not touch it
      expect([...bytes]).toEqual([...encoded(id, schema, record)]);
      expect(serde.deserialize('t', bytes)).toEqual(record);
    }),
  );
});

test('other bytes are refused: another schema, a record cut short, something behind it', () => {
  const bytes = reservationSerde.serialize('t', { orderId: 'o-1', status: 'RESERVED', at: 1_700_000_000_000 });
  expect(() => paymentSerde.deserialize('t', bytes)).toThrow('schema id 3');
  for (let length = 0; length < bytes.length; length += 1)
    expect(() => reservationSerde.deserialize('t', bytes.slice(0, length))).toThrow(RangeError);
  expect(() => reservationSerde.deserialize('t', Uint8Array.of(...bytes, 0))).toThrow('ends at byte');
});

test('a value is read where it stands among others, and refused when it is cut short there', () => {
  const reservation = { orderId: 'o-1', status: 'RESERVED', at: 1_700_000_000_000 };
  const bytes = reservationSerde.serialize('t', reservation);
  const among = Uint8Array.of(...bytes.slice(3), ...bytes, ...bytes);
  const [from, to] = [bytes.length - 3, 2 * bytes.length - 3];
  const read = partReaderOf(reservationSerde);
  expect(read?.('t', among, from, to)).toEqual(reservation);
  for (let end = from; end < to; end += 1) expect(() => read?.('t', among, from, end)).toThrow(RangeError);
  expect(() => read?.('t', among, from, to + 1)).toThrow('ends at byte');
});
