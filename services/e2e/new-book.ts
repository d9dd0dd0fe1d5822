import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { BookForSale, ShopClient } from './shop-client.ts';

interface Refused {
  readonly userErrors: readonly { readonly message: string }[];
}

/** A book that nobody else knows, with `copies` on the shelf, made through the API. */
export async function newBook(admin: ShopClient, copies: number, priceMinor: number): Promise<BookForSale> {
  const isbn13 = isbnFrom(Math.floor(Math.random() * 1e9));
  const { adminBookCreate } = await admin.ask<{ adminBookCreate: Refused & { book: BookForSale | null } }>(
    `mutation ($input: AdminBookCreateInput!) { adminBookCreate(input: $input) {
       book { id title price { minor currency } availability { available } } userErrors { message } } }`,
    {
      input: {
        idempotencyKey: randomUUID(),
        isbn13,
        title: `A Book of ${isbn13}`,
        authors: ['A. Tester'],
        price: { minor: priceMinor, currency: 'EUR' },
      },
    },
  );
  expect(adminBookCreate.userErrors).toEqual([]);
  const book = adminBookCreate.book;
  if (book === null) throw new Error('the catalogue did not show the new book');
  if (copies > 0) await restock(admin, book.id, copies);
  return book;
}

async function restock(admin: ShopClient, bookId: string, quantity: number): Promise<void> {
  const { adminStockRestock } = await admin.ask<{ adminStockRestock: Refused }>(
    `mutation ($input: AdminStockRestockInput!) { adminStockRestock(input: $input) {
       stock { onHand } userErrors { message } } }`,
    { input: { idempotencyKey: randomUUID(), bookId, quantity } },
  );
  expect(adminStockRestock.userErrors).toEqual([]);
}

/** 978 0 and nine digits, closed by the check digit of ISO 2108. */
export function isbnFrom(serial: number): string {
  const digits = `978${serial.toString().padStart(9, '0')}`;
  const sum = [...digits].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}
