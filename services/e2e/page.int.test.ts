import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connectSchemas } from '@bookstream/schemas/serde';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { launchChromium } from './chromium.ts';
import { holdPartition } from './hold-partition.ts';
import { newBook } from './new-book.ts';
import { restockRecord } from './records.ts';
import { eventually, ShopClient } from './shop-client.ts';

const { origin, urls, dataDir } = inject('platform');
/** UPDATE_SCREENS=1 renews the pictures that the README shows. */
const pictures = process.env.UPDATE_SCREENS
  ? join(import.meta.dirname, '..', '..', 'web', 'screens')
  : join(dataDir, 'screens');
let browser: Browser;
let admin: ShopClient;

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  admin = await ShopClient.login(origin, 'admin@bookstream.test', 'bookstream-demo');
  browser = await launchChromium();
});
afterAll(async () => {
  admin?.[Symbol.dispose]();
  await browser?.close();
});

/** A person at a page of their own. What the page threw, and what came to it over its WebSocket, is kept. */
class Visitor implements AsyncDisposable {
  readonly page: Page;
  readonly errors: string[] = [];
  /** Types of the order steps that arrived by subscription, in order. */
  readonly steps: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(15_000);
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        for (const [, type] of String(payload).matchAll(/"orderTimeline":\{[^}]*?"type":"([A-Z_]+)"/g)) {
          if (type !== undefined) this.steps.push(type);
        }
      }),
    );
  }

  static async login(email: string): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
    const visitor = new Visitor(await context.newPage());
    const { page } = visitor;
    await page.goto(`${origin}/login`);
    await page.getByLabel('Email').fill(email);
    await page.getByLabel('Password', { exact: true }).fill('bookstream-demo');
    await page.getByRole('button', { name: 'Log in' }).click();
    await visitor.bell.waitFor();
    return visitor;
  }

  get bell() {
    return this.page.locator('[aria-label^="Notifications,"]').first();
  }

  async unread(): Promise<number> {
    return Number(/(\d+) unread/.exec((await this.bell.getAttribute('aria-label')) ?? '')?.[1] ?? Number.NaN);
  }

  async buy(title: string, copies: number): Promise<void> {
    await this.choose(title, copies);
    await this.order();
  }

  /** Finds a book by its title through the search and opens it. */
  async choose(title: string, copies: number): Promise<void> {
    const { page } = this;
    await page.goto(origin);
    await page.getByRole('searchbox').fill(title);
    await page.getByRole('link', { name: title }).first().click();
    await page.getByRole('heading', { name: title }).waitFor();
    await page.getByLabel('Quantity').fill(String(copies));
  }

  async order(): Promise<void> {
    const { page } = this;
    await page.getByRole('button', { name: 'Place order' }).click();
    await page.waitForURL(/\/orders\/[0-9a-f-]{36}/);
  }

  /** The order's own mark says so. */
  async sees(status: string): Promise<void> {
    await this.page.locator(`main [data-status="${status}"]`).first().waitFor();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}

const stockOf = async (bookId: string) =>
  (
    await admin.ask<{ admin: { stock: { available: number; reserved: number } } }>(
      'query ($bookId: ID!) { admin { stock(bookId: $bookId) { available reserved } } }',
      { bookId },
    )
  ).admin.stock;

test('a shopper orders two copies, and every step and the notification arrive without a reload', async () => {
  await using ada = await Visitor.login('ada@bookstream.test');
  const before = await ada.unread();
  const [book] = await admin.books('Middlemarch');
  if (book === undefined) throw new Error('the seeded shop has no Middlemarch');
  await ada.choose(book.title, 2);
  await connectSchemas({ registryUrl: urls.REGISTRY_URL, cacheDir: join(dataDir, 'schemas') });
  const stock = await holdPartition(urls.KAFKA_URL, restockRecord(randomUUID(), book.id, 1));
  await ada.order();
  await ada.sees('RESERVING');
  expect(ada.steps).not.toContain('CONFIRMED');
  await stock.letGo();
  const loaded = await ada.page.evaluate(() => performance.timeOrigin);
  await ada.sees('CONFIRMED');
  const told = await ada.page.getByRole('region', { name: 'What happened' }).textContent();
  expect(told).toMatch(/placed[\s\S]*reserv[\s\S]*confirmed/i);
  // What the page had not read when it was opened came by the subscription.
  await expect.poll(() => ada.steps).toEqual(expect.arrayContaining(['LINE_ANSWERED', 'CONFIRMED', 'PAYMENT_MOVED']));
  await expect.poll(() => ada.unread(), { timeout: 10_000 }).toBe(before + 1);
  expect(await ada.page.evaluate(() => performance.timeOrigin)).toBe(loaded);
  await ada.page.screenshot({ path: join(pictures, 'order.png') });
  await ada.bell.click();
  await ada.page
    .getByText(/confirmed/i)
    .first()
    .waitFor();
  expect(ada.errors).toEqual([]);
});

test('more copies than there are: rejected, with what is left and what was asked for', async () => {
  const book = await newBook(admin, 3, 900);
  await using grace = await Visitor.login('grace@bookstream.test');
  const before = await grace.unread();
  await grace.buy(book.title, 4);
  await grace.sees('REJECTED');
  await grace.page.getByText('3 copies left, 4 asked for').waitFor();
  await expect.poll(() => grace.unread(), { timeout: 10_000 }).toBe(before + 1);
  expect(grace.errors).toEqual([]);
});

test('an order beyond the wallet: rejected with what is missing, and the copies are given back', async () => {
  const book = await newBook(admin, 3, 900);
  await using linus = await Visitor.login('linus@bookstream.test');
  const before = await linus.unread();
  await linus.buy(book.title, 1);
  await linus.sees('REJECTED');
  await linus.page.getByText('Your wallet lacks €4.00').waitFor();
  await expect.poll(() => linus.unread(), { timeout: 10_000 }).toBe(before + 1);
  await eventually('the copies are back', async () => {
    const { available, reserved } = await stockOf(book.id);
    return available === 3 && reserved === 0;
  });
  await linus.page.screenshot({ path: join(pictures, 'rejected.png') });
  expect(linus.errors).toEqual([]);
});

test('the admin watches the log move while a shopper buys: level, service, time and the trace of that very order', async () => {
  await using watching = await Visitor.login('admin@bookstream.test');
  await watching.page.goto(`${origin}/admin/logs`);
  const lines = watching.page.getByRole('list', { name: 'Log lines, newest first' }).getByRole('listitem');
  await lines.first().waitFor();
  const loaded = await watching.page.evaluate(() => performance.timeOrigin);
  const newest = await lines.first().textContent();

  await using shopping = await Visitor.login('grace@bookstream.test');
  await shopping.buy('Middlemarch', 1);
  await shopping.sees('CONFIRMED');

  await expect.poll(() => lines.first().textContent(), { timeout: 10_000 }).not.toBe(newest);
  await watching.page.screenshot({ path: join(pictures, 'logs.png') });
  const orderId = /orders\/([0-9a-f-]{36})/.exec(shopping.page.url())?.[1] ?? 'no order';
  await watching.page.getByPlaceholder('Text, order or trace').fill(orderId);
  await expect.poll(() => lines.count()).toBe(1);
  expect(await lines.first().textContent()).toMatch(/\d\d:\d\d:\d\d[\s\S]*info[\s\S]*gateway[\s\S]*[0-9a-f]{4,32}/i);
  expect(await watching.page.evaluate(() => performance.timeOrigin)).toBe(loaded);
  expect([...watching.errors, ...shopping.errors]).toEqual([]);
});
