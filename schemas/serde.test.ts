import { describe, expect, test } from 'vitest';
import { MalformedRecordError, SchemaNotFoundError, useLocalSchemas } from './serde.ts';
import { topics } from './topics.ts';
import type { OrderRejected } from './types/orders.ts';

useLocalSchemas();

const meta = {
  eventId: 'e',
  commandId: 'c',
  correlationId: 'k',
  causationId: 'a',
  actor: 'ada',
  occurredAt: 1_764_000_000_123,
};
const rejected: OrderRejected = {
  type: 'OrderRejected',
  meta,
  orderId: 'o',
  userId: 'u',
  version: 3,
  reason: 'FUNDS',
  lineId: null,
  bookId: null,
  requested: null,
  available: null,
  missing: { amountMinor: 9_007_199_254_740_993n, currency: 'EUR' },
  was: null,
  now: null,
};
const { name, valueSerde } = topics.ordersEvents;

test('a record comes back as it went, longs beyond 2^53 and instants included', () => {
  expect(valueSerde.deserialize(name, valueSerde.serialize(name, rejected))).toEqual(rejected);
});

test('equal values give equal bytes: stores and joins compare them', () => {
  expect(valueSerde.serialize(name, rejected)).toEqual(valueSerde.serialize(name, structuredClone(rejected)));
});

describe('what cannot be read says why', () => {
  const good = valueSerde.serialize(name, rejected);

  test.each([
    ['no magic byte', Uint8Array.of(1, 2, 3, 4, 5, 6), /does not begin with a zero byte/],
    ['too short', Uint8Array.of(0, 0), /does not begin with a zero byte/],
    ['cut short', good.subarray(0, good.length - 2), /the bytes end before bookstream\.orders\.v1\.OrderRejected does/],
    ['more bytes than the record has', Uint8Array.of(...good, 0), /OrderRejected ends at byte \d+ of \d+/],
  ])('%s', (_, bytes, cause) => {
    const read = () => valueSerde.deserialize(name, bytes);
    expect(read).toThrow(MalformedRecordError);
    expect(read).toThrow(cause);
  });

  test('an id that no registry knows', () => {
    const unknown = Uint8Array.from(good);
    unknown.set([0, 0, 1, 0x86, 0x9f], 0);
    expect(() => valueSerde.deserialize(name, unknown)).toThrow(SchemaNotFoundError);
  });

  test('a record of another topic', () => {
    expect(() => topics.stockEvents.valueSerde.deserialize('stock.events', good)).toThrow(/does not belong/);
  });

  test('a value that is no such record is not written', () => {
    const wrong = { ...rejected, version: 'three' as unknown as number }; // the fault under test
    expect(() => valueSerde.serialize(name, wrong)).toThrow(/version/);
  });
});
