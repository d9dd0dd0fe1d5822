import { expect, test } from 'vitest';
import { books } from './books.ts';
import { people } from './people.ts';

test.each(books.map((book) => [book.title, book.isbn13]))('%s: %s ends with its check digit', (_title, isbn13) => {
  expect(isbn13).toMatch(/^97[89]\d{10}$/);
  const sum = [...isbn13].reduce((total, digit, place) => total + Number(digit) * (place % 2 === 0 ? 1 : 3), 0);
  expect(sum % 10).toBe(0);
});

test('no two books share an ISBN or a title', () => {
  expect(new Set(books.map((book) => book.isbn13)).size).toBe(books.length);
  expect(new Set(books.map((book) => book.title)).size).toBe(books.length);
});

test('there are books enough to turn pages, at prices of a paperback, and a few of which there are hardly any', () => {
  expect(books.length).toBeGreaterThanOrEqual(60);
  for (const { title, authors, subjects, description, pages, priceMinor, copies } of books) {
    expect(
      [...authors, ...subjects].every((text) => text.trim() === text && text !== ''),
      title,
    ).toBe(true);
    expect(description.length, title).toBeGreaterThan(40);
    expect(pages, title).toBeGreaterThan(50);
    expect(priceMinor, title).toBeGreaterThanOrEqual(599);
    expect(priceMinor, title).toBeLessThanOrEqual(2_999);
    expect(copies, title).toBeGreaterThanOrEqual(1);
    expect(copies, title).toBeLessThanOrEqual(80);
  }
  expect(books.filter(({ copies }) => copies <= 3).length).toBeGreaterThanOrEqual(3);
});

test('Middlemarch, which tests and examples buy, is there and can be bought often', () => {
  const middlemarch = books.find(({ title }) => title === 'Middlemarch');
  expect(middlemarch?.copies).toBeGreaterThanOrEqual(40);
  expect(middlemarch?.priceMinor).toBeGreaterThanOrEqual(900);
  expect(middlemarch?.priceMinor).toBeLessThanOrEqual(1_800);
});

test('one shopper cannot pay for any book, two can pay for many', () => {
  const cheapest = Math.min(...books.map(({ priceMinor }) => priceMinor));
  const wallets = people.filter(({ role }) => role === 'SHOPPER').map(({ topUpMinor }) => topUpMinor);
  expect(wallets.filter((minor) => minor < cheapest)).toHaveLength(1);
  expect(wallets.filter((minor) => minor >= 10 * cheapest)).toHaveLength(2);
});
