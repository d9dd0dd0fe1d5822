import { expect, test } from 'vitest';
import { bearer, isOwnOrigin, refreshCookie, refreshTokenOf } from './requests.ts';

const withHeaders = (headers: Record<string, string>) => ({ headers });

test('the cookie comes back as it was set, among others', () => {
  const set = refreshCookie(withHeaders({}), 'abc_-123', Date.now() + 60_000);
  expect(set).toMatch(/^bookstream_refresh=abc_-123; Path=\/graphql; HttpOnly; SameSite=Strict; Max-Age=(59|60)$/);
  const cookie = `theme=dark; ${set.split(';')[0]}; other=1`;
  expect(refreshTokenOf(withHeaders({ cookie }))).toBe('abc_-123');
});

test('over TLS it is for TLS only, and leaving takes it away', () => {
  const tls = withHeaders({ 'x-forwarded-proto': 'https' });
  expect(refreshCookie(tls, 'a', Date.now())).toContain('; Secure');
  expect(refreshCookie(tls, null, 0)).toMatch(/bookstream_refresh=;.*Max-Age=0/);
});

test.each([
  '',
  'bookstream_refresh=',
  'bookstream_refresh=%',
  'bookstream_refresh=a b',
  `bookstream_refresh=${'x'.repeat(300)}`,
])('the cookie header %j holds no token', (cookie) => expect(refreshTokenOf(withHeaders({ cookie }))).toBeNull());

test('a token comes as Bearer, and only so', () => {
  expect([bearer('Bearer a.b.c'), bearer('bearer a.b.c')]).toEqual(['a.b.c', 'a.b.c']);
  expect([bearer('Basic x'), bearer('a.b.c'), bearer(['Bearer a']), bearer(undefined), bearer('Bearer a b')]).toEqual(
    Array(5).fill(null),
  );
});

test('a socket is for this shop: its own pages, and what is no browser', () => {
  const from = (origin: string) => isOwnOrigin(withHeaders({ host: 'shop.test:4000', origin }));
  expect([from('http://shop.test:4000'), from('https://shop.test:4000')]).toEqual([true, true]);
  expect([from('https://evil.test'), from('null'), from('http://shop.test')]).toEqual([false, false, false]);
  expect(isOwnOrigin(withHeaders({ host: 'shop.test' }))).toBe(true);
});
