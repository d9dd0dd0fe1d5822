import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  allowed,
  type BookCreateInput,
  isId,
  isIsbn13,
  type LineInput,
  mergedLines,
  wrongAmount,
  wrongBook,
  wrongKey,
  wrongQuantity,
  wrongText,
} from './inputs.ts';

const codes = (errors: readonly { readonly code: string }[]) => errors.map((error) => error.code);

test.each([0, -1, 1_000, 2 ** 31 - 1, -0, Number.NaN])('%d copies are none', (quantity) => {
  expect(wrongQuantity(quantity, allowed.copies, ['input', 'lines', '0', 'quantity'])).toMatchObject([
    { __typename: 'InvalidQuantity', field: ['input', 'lines', '0', 'quantity'], min: 1, max: 999 },
  ]);
});

test('the bounds themselves are allowed', () => {
  for (const quantity of [1, 999]) expect(wrongQuantity(quantity, allowed.copies, [])).toEqual([]);
  for (const minor of [100n, 100_000n]) expect(wrongAmount({ minor, currency: 'EUR' }, allowed.topUp, [])).toEqual([]);
  for (const key of ['12345678', 'x'.repeat(128)]) expect(wrongKey(key)).toEqual([]);
});

test.each([
  [99n, 'EUR'],
  [100_001n, 'EUR'],
  [-100n, 'EUR'],
  [2n ** 63n - 1n, 'EUR'],
  [1_000n, 'USD'],
  [1_000n, 'eur'],
])('%d %s is no top-up', (minor, currency) => {
  expect(wrongAmount({ minor, currency }, allowed.topUp, ['input', 'amount'])).toMatchObject([
    { __typename: 'InvalidAmount', min: { amount: '1.00' }, max: { amount: '1000.00' } },
  ]);
});

test('a key is neither guessable nor endless', () => {
  expect([...wrongKey(''), ...wrongKey('1234567'), ...wrongKey('x'.repeat(129))].map(({ field }) => field)).toEqual(
    Array(3).fill(['input', 'idempotencyKey']),
  );
});

test.each(['', "'; DROP TABLE books", '{"$ne":null}', '../', '__proto__', '0'.repeat(36), 'A'.repeat(36)])(
  '%j is no id',
  (id) => expect(isId(id)).toBe(false),
);

test.each([
  ['NUL, which Postgres cannot hold', 'a\0b'],
  ['an escape sequence of a terminal', '\u001b[31mred'],
  ['half a character', 'a\ud800'],
  ['spaces alone', '   '],
  ['too much', 'x'.repeat(301)],
])('a text of %s is refused', (_, text) => {
  expect(codes(wrongText(text, { least: 1, most: 300 }, ['input', 'title']))).toEqual(['INVALID_INPUT']);
});

test('a text in any script, with marks, joined emoji and new lines is a text', () => {
  for (const text of ['Les Misérables', '红楼梦', 'e\u0301\u0301', '👩‍👩‍👧', 'one\ntwo', 'x'.repeat(300)])
    expect(wrongText(text, { least: 1, most: 300 }, [])).toEqual([]);
});

test('of all last digits of an ISBN one is right', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999 }), (serial) => {
      const begin = `978${String(serial).padStart(9, '0')}`;
      const right = Array.from({ length: 10 }, (_, digit) => `${begin}${digit}`).filter(isIsbn13);
      expect(right).toHaveLength(1);
    }),
  );
  expect(isIsbn13('978-0-14-143951-8')).toBe(true); // Penguin's Pride and Prejudice
  expect(isIsbn13('014143951X')).toBe(false);
});

test('lines of one book are one: no copy is lost, and nobody pays more than they saw', () => {
  const line = fc.record({
    bookId: fc.constantFrom('a', 'b', 'c'),
    quantity: fc.integer({ min: 1, max: 9 }),
    expectedUnitPrice: fc.record({ minor: fc.bigInt({ min: 1n, max: 99n }), currency: fc.constant('EUR') }),
  });
  const copies = (lines: readonly LineInput[], bookId: string) =>
    lines.filter((one) => one.bookId === bookId).reduce((sum, one) => sum + one.quantity, 0);
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), (lines) => {
      const merged = mergedLines(lines);
      expect(merged.map((one) => one.bookId)).toEqual([...new Set(lines.map((one) => one.bookId))]);
      for (const { bookId, quantity, expectedUnitPrice } of merged) {
        expect(quantity).toBe(copies(lines, bookId));
        const seen = lines.filter((one) => one.bookId === bookId).map((one) => one.expectedUnitPrice.minor);
        expect(seen).toContain(expectedUnitPrice.minor);
        expect(seen.every((minor) => minor >= expectedUnitPrice.minor)).toBe(true);
      }
    }),
  );
});

test('all that is wrong with a new book is told at once, each at its field', () => {
  const good: BookCreateInput = {
    idempotencyKey: '12345678',
    isbn13: '978-0-14-143951-8',
    title: 'Pride and Prejudice',
    authors: ['Jane Austen'],
    description: '',
    language: 'en',
    subjects: [],
    price: { minor: 1_250n, currency: 'EUR' },
  };
  expect(wrongBook(good)).toEqual([]);
  const bad = { ...good, isbn13: '9780141439510', title: '', authors: [], language: 'English', pages: 0 };
  expect(wrongBook({ ...bad, price: { minor: 0n, currency: 'EUR' } }).map(({ field }) => field?.join('.'))).toEqual([
    'input.isbn13',
    'input.title',
    'input.authors',
    'input.language',
    'input.pages',
    'input.price',
  ]);
});
