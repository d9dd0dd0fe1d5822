import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bookIdOf, commandIdOf, eventIdOf, orderIdOf, orderNumberOf, uuidv5 } from './ids.ts';
import { compare, decimal, eur, format, multiply } from './money.ts';
import { canonicalJson, payloadHashOf } from './payload-hash.ts';

test('ids are UUIDs of version 5 and hang on every part', () => {
  expect(uuidv5('9f1a6c0e-51b5-4d3a-8e0d-6c2f3b7a9d10', 'a')).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(commandIdOf('u', 'ab', 'c')).not.toBe(commandIdOf('u', 'a', 'bc'));
  expect(eventIdOf('c', 'app', 'node', 0)).not.toBe(eventIdOf('c', 'app', 'node', 1));
  expect(bookIdOf('978-0-14-143951-8')).toBe(bookIdOf('9780141439518'));
  expect(orderNumberOf(orderIdOf('c'))).toMatch(/^BS-[2-9B-Z]{8}$/);
});

test('ids never change: topics on disk hang on them', () => {
  expect(bookIdOf('9780141439518')).toMatchInlineSnapshot(`"ffa18b0c-ae86-55d6-ae3e-4863fc9cc34c"`);
  expect(commandIdOf('u', 'orderPlace', 'k')).toMatchInlineSnapshot(`"f237db1e-bd8e-5abc-bbf0-b131f429e00b"`);
});

test('the hash of an input does not hang on the order of its members, and does on everything else', () => {
  expect(payloadHashOf({ a: 1, b: [2n, 'x'] })).toBe(payloadHashOf({ b: [2n, 'x'], a: 1 }));
  expect(payloadHashOf({ a: 1 })).not.toBe(payloadHashOf({ a: '1' }));
  expect(canonicalJson({ b: 1, a: undefined, c: null })).toBe('{"b":1,"c":null}');
});

test('money is exact', () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 15n), 10n ** 15n), fc.integer({ min: 1, max: 1_000 }), (minor, copies) => {
      expect(multiply(eur(minor), copies)).toEqual(eur(minor * BigInt(copies)));
      expect(decimal(eur(minor))).toMatch(/^-?\d+\.\d\d$/);
    }),
  );
  expect([decimal(eur(5n)), decimal(eur(-105n)), format(eur(1250n))]).toEqual(['0.05', '-1.05', '€12.50']);
  expect(() => compare(eur(1n), { amountMinor: 1n, currency: 'USD' })).toThrow(/cannot be counted/);
});
