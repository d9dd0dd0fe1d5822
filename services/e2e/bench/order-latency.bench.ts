// From the click on "Place order" to CONFIRMED on the order's page, as a shopper sees it: a real Chromium against a platform that runs
// (`npm start`), one order after the other. `npm run bench -- order-latency [orders]`.
import { optionsOf, refuse, wholeNumber } from '@bookstream/streams/bench/options';
import type { Page } from 'playwright-core';
import { exitCodes } from '../../cli/exit-codes.ts';
import { findRunning } from '../../cli/running.ts';
import { launchChromium } from '../chromium.ts';
import { newBook } from '../new-book.ts';
import { ShopClient } from '../shop-client.ts';

const file = import.meta.filename;
const [count = '200', ...more] = optionsOf(file, { allowPositionals: true }).positionals;
if (more.length > 0) refuse(file, `too many arguments: ${more.join(' ')}`);
const orders = wholeNumber(file, 'orders', count);
const warmUp = 10;
const password = 'bookstream-demo';

/** Milliseconds between the click and the first moment at which the page says so, by the page's own clock. */
async function buyOnce(page: Page, bookUrl: string): Promise<number> {
  await page.goto(bookUrl);
  await page.getByRole('button', { name: 'Place order' }).waitFor();
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const button = [...document.querySelectorAll('button')].find(
          (one) => one.textContent?.trim() === 'Place order',
        );
        if (button === undefined) return reject(new Error('there is no button "Place order"'));
        const seen = () => {
          const status = document.querySelector('main [data-status]')?.getAttribute('data-status');
          if (status === 'CONFIRMED') resolve(performance.now() - clicked);
          else if (status === 'REJECTED') reject(new Error('the order was rejected'));
        };
        new MutationObserver(seen).observe(document.body, { subtree: true, childList: true, attributes: true });
        setTimeout(() => reject(new Error('not confirmed within 20 s')), 20_000);
        const clicked = performance.now();
        button.click();
      }),
  );
}

async function measure(origin: string): Promise<readonly number[]> {
  using admin = await ShopClient.login(origin, 'admin@bookstream.test', password);
  const book = await newBook(admin, (orders + warmUp) * 2, 100);
  using ada = await ShopClient.login(origin, 'ada@bookstream.test', password);
  await ada.topUp((orders + warmUp) * 100);
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${origin}/login`);
    await page.getByLabel('Email').fill('ada@bookstream.test');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('[aria-label^="Notifications,"]').first().waitFor();
    const times: number[] = [];
    for (let done = 0; done < orders + warmUp; done += 1) {
      const ms = await buyOnce(page, `${origin}/books/${book.id}`);
      if (done >= warmUp) times.push(ms);
      process.stderr.write(`\r${done + 1} of ${orders + warmUp} orders`);
    }
    process.stderr.write('\n');
    return times.sort((a, b) => a - b);
  } finally {
    await browser.close();
  }
}

const running = findRunning();
if (running?.gatewayUrl == null) {
  console.error('nothing runs on this data folder; nothing was measured. Cure: npm start');
  process.exit(exitCodes.precondition);
}
const times = await measure(running.gatewayUrl);
const at = (part: number) =>
  Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN);
console.log(
  `orderPlace to CONFIRMED on the page, ${times.length} orders: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, least ${at(0)} ms, most ${at(1)} ms`,
);
