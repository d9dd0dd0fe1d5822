import { expect, test } from 'vitest';
import { checkHistory, incompatibilities } from './compatibility.ts';
import { stale } from './generate-types.ts';
import { type AvroObject, standalone } from './local-schemas.ts';

const placed = standalone('bookstream.orders.v1.OrderPlaced');
const withFields = (fields: AvroObject['fields']): AvroObject => ({ ...placed, fields: fields ?? [] });

test('every schema reads, and is read by, every version in the history', () => {
  expect(checkHistory()).toEqual({ broken: [], unrecorded: [] });
});

test('generated types are current', () => {
  expect(stale()).toEqual([]);
});

test('a new field with a default is compatible', () => {
  const wider = withFields([...(placed.fields ?? []), { name: 'channel', type: ['null', 'string'], default: null }]);
  expect(incompatibilities(wider, placed)).toEqual([]);
});

test.each([
  ['a new field without a default', withFields([...(placed.fields ?? []), { name: 'channel', type: 'string' }])],
  ['a field that is gone', withFields((placed.fields ?? []).filter((field) => field.name !== 'total'))],
  [
    'a field of another type',
    withFields((placed.fields ?? []).map((field) => (field.name === 'version' ? { ...field, type: 'string' } : field))),
  ],
])('%s is refused', (_, changed) => {
  expect(incompatibilities(changed, placed)).not.toEqual([]);
});

test('an enum that loses a symbol is refused', () => {
  const text = JSON.stringify(standalone('bookstream.orders.v1.OrderRejected')).replace('"TIMED_OUT"', '"LATE"');
  expect(incompatibilities(JSON.parse(text), standalone('bookstream.orders.v1.OrderRejected'))).not.toEqual([]);
});
