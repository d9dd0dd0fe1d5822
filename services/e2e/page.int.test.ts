import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { launchChromium } from './chromium.ts';

const { origin, dataDir } = inject('platform');
const pictures = join(dataDir, 'screens');
let browser: Browser;

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** A page of its own person; every uncaught error of the page fails the test that opened it. */
async function open(errors: string[]): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => errors.push(error.message));
  return page;
}

async function login(page: Page, email: string): Promise<void> {
  await page.goto(`${origin}/login`);
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password', { exact: true }).fill('bookstream-demo');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page
    .getByRole('button', { name: /Notifications, \d+ unread/ })
    .or(page.getByRole('link', { name: /Notifications, \d+ unread/ }))
    .waitFor();
}

const unread = async (page: Page): Promise<number> => {
  const name = await page.locator('[aria-label^="Notifications,"]').first().getAttribute('aria-label');
  return Number(/(\d+) unread/.exec(name ?? '')?.[1] ?? Number.NaN);
};

/** Finds a book by its title through the search and opens it. */
async function find(page: Page, title: string): Promise<void> {
  await page.goto(origin);
  await page.getByRole('searchbox').fill(title);
  await page
    .getByRole('link', { name: new RegExp(title, 'i') })
    .first()
    .click();
  await page.getByRole('heading', { name: new RegExp(title, 'i') }).waitFor();
}

async function order(page: Page, copies: number): Promise<void> {
  await page.getByLabel('Quantity').fill(String(copies));
  await page.getByRole('button', { name: 'Place order' }).click();
}

test('a shopper finds a book, orders two copies and watches the order arrive without a reload', async () => {
  const errors: string[] = [];
  const page = await open(errors);
  await login(page, 'ada@bookstream.test');
  const before = await unread(page);
  await find(page, 'Middlemarch');
  await order(page, 2);
  await page.waitForURL(/\/orders\/[0-9a-f-]{36}/);
  const loaded = await page.evaluate(() => performance.timeOrigin);
  await page.locator('[data-status="CONFIRMED"]').first().waitFor();
  // PLACED → RESERVING → CONFIRMED stand in the timeline, in that order.
  const timeline = await page.locator('main').textContent();
  expect(timeline).toMatch(/placed[\s\S]*reserv[\s\S]*confirmed/i);
  await expect.poll(() => unread(page), { timeout: 10_000 }).toBe(before + 1);
  expect(await page.evaluate(() => performance.timeOrigin)).toBe(loaded);
  await page.screenshot({ path: join(pictures, 'order-confirmed.png'), fullPage: true });
  expect(errors).toEqual([]);
  await page.context().close();
});

test('more than there are is refused with the reason, and so is an order beyond the wallet', async () => {
  const errors: string[] = [];
  const page = await open(errors);
  await login(page, 'linus@bookstream.test');
  await find(page, 'Middlemarch');
  await order(page, 2);
  await page.locator('[data-status="REJECTED"]').first().waitFor();
  expect(await page.locator('main').textContent()).toMatch(/missing|wallet|funds/i);
  await page.screenshot({ path: join(pictures, 'order-rejected.png'), fullPage: true });
  expect(errors).toEqual([]);
  await page.context().close();
});

test('the admin watches the log move while a shopper buys', async () => {
  const errors: string[] = [];
  const watching = await open(errors);
  await login(watching, 'admin@bookstream.test');
  await watching.goto(`${origin}/admin/logs`);
  await watching.getByRole('heading', { name: /logs/i }).waitFor();
  const shopping = await open(errors);
  await login(shopping, 'grace@bookstream.test');
  await find(shopping, 'Middlemarch');
  await order(shopping, 1);
  await shopping.locator('[data-status="CONFIRMED"]').first().waitFor();
  const orderId = /orders\/([0-9a-f-]{36})/.exec(shopping.url())?.[1] ?? 'no order';
  await expect.poll(() => watching.locator('main').textContent(), { timeout: 10_000 }).toMatch(/gateway|order/i);
  expect(orderId).not.toBe('no order');
  await watching.screenshot({ path: join(pictures, 'logs.png'), fullPage: true });
  expect(errors).toEqual([]);
});
