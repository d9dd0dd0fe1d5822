import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import bundled from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

const onPath = (): string | null =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path)) ?? null;

/** A browser of this machine (CHROME_PATH, else the PATH), else the one that came by npm: no system browser is needed. */
export async function launchChromium(): Promise<Browser> {
  const own = process.env.CHROME_PATH ?? onPath();
  if (own !== null) return chromium.launch({ executablePath: own, args: ['--no-sandbox'] });
  // In one process, closing a context ends the browser; without web security a test would prove less than it says.
  const args = bundled.args.filter((arg) => arg !== '--single-process' && arg !== '--disable-web-security');
  return chromium.launch({ executablePath: await bundled.executablePath(), args, headless: true });
}
