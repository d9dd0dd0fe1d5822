import { shopCurrency } from '@bookstream/schemas/money';
import { invalidAmount, invalidQuantity, type UserError, userError } from './user-errors.ts';

/** Money as a client sends it. */
export interface MoneyInput {
  readonly minor: bigint;
  readonly currency: string;
}

export interface LineInput {
  readonly bookId: string;
  readonly quantity: number;
  readonly expectedUnitPrice: MoneyInput;
}

interface Range<T> {
  readonly least: T;
  readonly most: T;
}

/** What the descriptions in schema.graphql promise. Money in minor units. */
export const allowed = {
  copies: { least: 1, most: 999 },
  restock: { least: 1, most: 100_000 },
  lines: { least: 1, most: 50 },
  key: { least: 8, most: 128 },
  topUp: { least: 100n, most: 100_000n },
  price: { least: 1n, most: 1_000_000n },
  expectedPrice: { least: 0n, most: 1_000_000n },
} as const;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Ids are opaque, but one that no id can be is not worth a question to the database. */
export const isId = (id: string): boolean => uuid.test(id);

type Path = readonly string[];

const invalid = (message: string, field: Path): UserError =>
  userError('InvalidInput', 'INVALID_INPUT', `${message} Nothing was done.`, field);

export function wrongKey(key: string): UserError[] {
  const { least, most } = allowed.key;
  return key.length >= least && key.length <= most
    ? []
    : [invalid(`An idempotency key has ${least} to ${most} characters.`, ['input', 'idempotencyKey'])];
}

export const wrongQuantity = (quantity: number, range: Range<number>, field: Path): UserError[] =>
  quantity >= range.least && quantity <= range.most ? [] : [invalidQuantity(field, range.least, range.most)];

export function wrongAmount({ minor, currency }: MoneyInput, range: Range<bigint>, field: Path): UserError[] {
  if (minor >= range.least && minor <= range.most && currency === shopCurrency) return [];
  const amount = (amountMinor: bigint) => ({ amountMinor, currency: shopCurrency });
  return [invalidAmount(field, amount(range.least), amount(range.most))];
}

/** Control characters (but for new lines) and halves of characters would be refused by a database long after the command was accepted. */
export function wrongText(text: string, range: Range<number>, field: Path): UserError[] {
  const length = [...text.trim()].length;
  if (length < range.least || length > range.most)
    return [invalid(`This has ${range.least} to ${range.most} characters.`, field)];
  if (/[^\P{Cc}\n\t]|\p{Cs}/u.test(text)) return [invalid('This holds a control character.', field)];
  return [];
}

export const wrongNumber = (number: number | null, range: Range<number>, field: Path): UserError[] =>
  number === null || (number >= range.least && number <= range.most)
    ? []
    : [invalid(`This is a number from ${range.least} to ${range.most}.`, field)];

/** Thirteen digits, the last one right (ISO 2108). @param isbn with or without hyphens */
export function isIsbn13(isbn: string): boolean {
  const digits = isbn.replaceAll('-', '');
  if (!/^97[89]\d{10}$/.test(digits)) return false;
  const sum = [...digits].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0);
  return sum % 10 === 0;
}

/** One line a book, where it first stood; of two expected prices the lower one, so that nobody pays more than they saw. */
export function mergedLines(lines: readonly LineInput[]): readonly LineInput[] {
  const byBook = new Map<string, LineInput>();
  for (const line of lines) {
    const before = byBook.get(line.bookId);
    const quantity = (before?.quantity ?? 0) + line.quantity;
    const lower = before && before.expectedUnitPrice.minor < line.expectedUnitPrice.minor ? before : line;
    byBook.set(line.bookId, { bookId: line.bookId, quantity, expectedUnitPrice: lower.expectedUnitPrice });
  }
  return [...byBook.values()];
}

export interface BookCreateInput {
  readonly idempotencyKey: string;
  readonly isbn13: string;
  readonly title: string;
  readonly authors: readonly string[];
  readonly description: string;
  readonly publisher?: string | null;
  readonly publishedYear?: number | null;
  readonly language: string;
  readonly pages?: number | null;
  readonly subjects: readonly string[];
  readonly price: MoneyInput;
}

/** All that is wrong with a new book at once. */
export function wrongBook(input: BookCreateInput): readonly UserError[] {
  const at = (...path: string[]): Path => ['input', ...path];
  const words = (texts: readonly string[], most: number, field: string) =>
    texts.flatMap((text, index) => wrongText(text, { least: 1, most }, at(field, String(index))));
  return [
    ...wrongKey(input.idempotencyKey),
    ...(isIsbn13(input.isbn13)
      ? []
      : [invalid('This is no ISBN-13: thirteen digits, the last one a check digit.', at('isbn13'))]),
    ...wrongText(input.title, { least: 1, most: 300 }, at('title')),
    ...wrongNumber(input.authors.length, { least: 1, most: 20 }, at('authors')),
    ...words(input.authors, 200, 'authors'),
    ...wrongText(input.description, { least: 0, most: 10_000 }, at('description')),
    ...wrongText(input.publisher ?? '', { least: 0, most: 200 }, at('publisher')),
    ...wrongNumber(input.publishedYear ?? null, { least: -3_000, most: 2_100 }, at('publishedYear')),
    ...(/^[a-z]{2,3}$/.test(input.language)
      ? []
      : [invalid('A language is its ISO 639 code, like "en".', at('language'))]),
    ...wrongNumber(input.pages ?? null, { least: 1, most: 100_000 }, at('pages')),
    ...wrongNumber(input.subjects.length, { least: 0, most: 30 }, at('subjects')),
    ...words(input.subjects, 80, 'subjects'),
    ...wrongAmount(input.price, allowed.price, at('price')),
  ];
}
