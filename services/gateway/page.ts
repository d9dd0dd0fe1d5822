import { createReadStream, existsSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';

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

const folder = join(import.meta.dirname, '..', '..', 'web', 'build');

/** What every answer says: nothing may frame the shop, guess a type or take a referrer elsewhere. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

/** Serves the built page; what is no file is a route of the page itself, so it gets index.html. */
export function servePage(request: IncomingMessage, response: ServerResponse, path: string): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD', ...securityHeaders }).end();
    return;
  }
  const wanted = join(folder, normalize(path));
  const isFile = wanted.startsWith(`${folder}/`) && existsSync(wanted) && statSync(wanted).isFile();
  const file = isFile ? wanted : join(folder, 'index.html');
  if (!existsSync(file)) {
    response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8', ...securityHeaders });
    response.end('The page has not been built. Run: npm run build -w web. The API answers at /graphql.\n');
    return;
  }
  if (!isFile && extname(path) !== '' && extname(path) !== '.html') {
    response
      .writeHead(404, { 'content-type': 'text/plain; charset=utf-8', ...securityHeaders })
      .end('There is no such file.\n');
    return;
  }
  // Names under _app/immutable hold a hash of their content.
  const cache = path.includes('/immutable/') ? 'public, max-age=31536000, immutable' : 'no-cache';
  response.writeHead(200, {
    'content-type': types[extname(file)] ?? 'application/octet-stream',
    'cache-control': cache,
    ...securityHeaders,
  });
  if (request.method === 'HEAD') response.end();
  else createReadStream(file).pipe(response);
}
