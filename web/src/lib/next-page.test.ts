import { expect, test } from 'vitest';
import { nextPage } from '#lib/next-page.ts';

const next = (value: string) => nextPage(new URLSearchParams({ next: value }));

test('a login leads back to the page that asked for it, and never to another site', () => {
  expect(next('/books/1?quantity=2')).toBe('/books/1?quantity=2');
  for (const elsewhere of ['https://example.org', '//example.org', '/\\example.org', 'javascript:alert(1)', ''])
    expect(next(elsewhere)).toBe('/');
  expect(nextPage(new URLSearchParams())).toBe('/');
});
