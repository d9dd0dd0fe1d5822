import type { ServerResponse } from 'node:http';
import { bookById } from '@bookstream/projections/catalogue/queries';
import type { Pool } from 'pg';
import { coverSvg } from '../seed/cover.ts';
import { isId } from './resolvers/inputs.ts';

/** A cover drawn from what is known of the book; the address carries the book's version, so it may be kept for ever. */
export async function serveCover(postgres: Pool, response: ServerResponse, path: string): Promise<void> {
  const id = /^\/covers\/([^/]+)\.svg$/.exec(path)?.[1] ?? '';
  const book = isId(id) ? await bookById(postgres, id) : null;
  if (book === null) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('There is no such cover.\n');
    return;
  }
  const { title, authors, isbn13 } = book;
  response.writeHead(200, {
    'content-type': 'image/svg+xml',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  });
  response.end(coverSvg({ title, authors, isbn13 }));
}
