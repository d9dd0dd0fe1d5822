import { expect, test } from 'vitest';
import { localType, typeOf } from './avro-types.ts';
import { type AvroObject, standalone } from './local-schemas.ts';

const fullName = 'bookstream.stock.v1.Restock';
const ours = standalone(fullName);
const restock = { payloadHash: 'h', bookId: 'b', quantity: 3, reason: '' };
const meta = { eventId: 'e', commandId: 'c', correlationId: 'k', causationId: 'a', actor: 'ada' };

/** What ours makes of a record that `writer` wrote. */
const read = (writer: AvroObject, value: object): unknown => {
  const type = typeOf(writer);
  return localType(fullName).fromBuffer(type.toBuffer(value), localType(fullName).createResolver(type));
};

test('a newer writer is read without what it has added', () => {
  const newer = { ...ours, fields: [...(ours.fields ?? []), { name: 'supplier', type: 'string', default: '' }] };
  const value = { ...restock, meta: { ...meta, occurredAt: 1_764_000_000_123 } };
  expect(read(newer, { ...value, supplier: 's' })).toEqual(value);
});

test('an instant may have been written as a mere long: to a registry the two are the same', () => {
  const text = JSON.stringify(ours).replace('{"type":"long","logicalType":"timestamp-millis"}', '"long"');
  expect(text).not.toContain('timestamp-millis');
  expect(read(JSON.parse(text), { ...restock, meta: { ...meta, occurredAt: 1_764_000_000_123n } })).toEqual({
    ...restock,
    meta: { ...meta, occurredAt: 1_764_000_000_123 },
  });
});
