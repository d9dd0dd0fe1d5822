import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
};

/** What every answer says: nothing may frame the shop, guess a type or take a referrer elsewhere. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

/** Scripts of our own only, and of the inline ones those that stand in this very page. */
function contentPolicyOf(html: string): string {
  const inline = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  return [
    "default-src 'self'",
    `script-src ${["'self'", ...inline].join(' ')}`,
    "style-src 'self' 'unsafe-inline'", // style attributes of bars and charts
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

interface Index {
  readonly html: string;
  readonly policy: string;
  readonly changedAt: number;
}

/** Serves a built page out of `folder`; what is no file is a route of the page itself, so it gets index.html. */
export class Page {
  readonly #folder: string;
  #index: Index | null = null;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      text(response.setHeader('allow', 'GET, HEAD'), 405, 'A page can be read only.');
      return;
    }
    const file = join(this.#folder, normalize(path));
    const found = path.includes('\0') || !file.startsWith(`${this.#folder}/`) ? null : await statOf(file);
    if (found?.isFile() && extname(file) !== '.html') {
      response.writeHead(200, {
        'content-type': types[extname(file)] ?? 'application/octet-stream',
        'content-length': found.size,
        // Names under _app/immutable hold a hash of their content.
        'cache-control': path.includes('/immutable/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      });
      if (request.method === 'HEAD') response.end();
      else
        await pipeline(createReadStream(file), response).catch((error: unknown) => {
          if (!response.destroyed) throw error; // a visitor who left is no fault
        });
      return;
    }
    if (extname(path) !== '' && extname(path) !== '.html') {
      text(response, 404, 'There is no such file.');
      return;
    }
    const index = await this.#read();
    if (index === null) {
      text(response, 503, 'The page has not been built. Run: npm run build -w web. The API answers at /graphql.');
      return;
    }
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': index.policy,
      'cache-control': 'no-cache',
    });
    response.end(request.method === 'HEAD' ? undefined : index.html);
  }

  /** A page built anew while the gateway runs is served from then on. */
  async #read(): Promise<Index | null> {
    const file = join(this.#folder, 'index.html');
    const found = await statOf(file);
    if (found === null) return null;
    if (this.#index?.changedAt !== found.mtimeMs) {
      const html = await readFile(file, 'utf8');
      this.#index = { html, policy: contentPolicyOf(html), changedAt: found.mtimeMs };
    }
    return this.#index;
  }
}

const statOf = (file: string) => stat(file).catch(() => null); // not there, or not to be read: the same to a visitor

function text(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${message}\n`);
}
