import { getIntrospectionQuery, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { maxTokens, RateLimit, refusals } from './limits.ts';
import { schema } from './schema.ts';

const codeOf = (query: string, variables: Record<string, unknown> = {}) => {
  const document = parse(query, { maxTokens });
  expect(validate(schema, document)).toEqual([]);
  return refusals(schema, document, variables)[0]?.extensions ?? null;
};

test('what a page of the shop asks for is allowed', () => {
  expect(
    codeOf(`{ books(first: 100) { edges { cursor node {
      id title authors price { amount currency } coverUrl availability { available status } } }
      pageInfo { hasNextPage endCursor } } }`),
  ).toBeNull();
  expect(
    codeOf(`{ viewer { email orders(first: 20) { edges { node {
      id number status total { amount } lines { title quantity book { coverUrl } } } } } } }`),
  ).toBeNull();
});

test('the query editor may ask for the whole schema', () => {
  expect(codeOf(getIntrospectionQuery())).toBeNull();
});

test.each([
  ['an argument', '{ books(first: 100) { edges { node { availability { available } authors id isbn13 } } } }', {}],
  ['a variable', 'query ($n: Int) { books(first: $n) { edges { node { id } } } }', { n: 100_000 }],
  ["a variable's default", 'query ($n: Int = 100000) { books(first: $n) { edges { node { id } } } }', {}],
  [
    "an argument's default",
    '{ viewer { orders(first: 50) { edges { node { timeline { edges { cursor } } } } } } }',
    {},
  ],
])('a list counts as often as its page is long, by %s', (_, query, variables) => {
  const cheap = query.includes('availability');
  expect(codeOf(query, variables)).toEqual(cheap ? null : expect.objectContaining({ code: 'TOO_COMPLEX' }));
});

test('a list whose size is not named counts as a page', () => {
  const field = (n: number) => `a${n}: books { edges { node { id title isbn13 language description } } }`;
  const query = `{ ${Array.from({ length: 25 }, (_, n) => field(n)).join(' ')} }`;
  expect(codeOf(query)).toMatchObject({ code: 'TOO_COMPLEX', cost: expect.any(Number) });
});

test('a login asked for under many names costs as often', () => {
  const login = (n: number) => `a${n}: login(input: { email: "a@b.c", password: "x" }) { accessToken }`;
  expect(codeOf(`mutation { ${Array.from({ length: 31 }, (_, n) => login(n)).join(' ')} }`)).toMatchObject({
    code: 'TOO_COMPLEX',
  });
});

test('depth is counted through fragments, under any name', () => {
  const deep = (levels: number): string =>
    levels === 0 ? 'id' : `timeline(first: 1) { edges { node { ${levels > 1 ? '__typename' : ''} id } } }`;
  expect(
    codeOf(
      `query __schema { viewer { ...__type } } fragment __type on Viewer { orders(first: 1) { edges { node { ${deep(1)} } } } }`,
    ),
  ).toBeNull();
  const nested = `query __schema { viewer { orders(first: 1) { edges { node { lines { book { ...a } } } } } } }
    fragment a on Book { availability { ...b } } fragment b on Availability { available }`;
  expect(codeOf(nested)).toBeNull();
});

test('a fan of fragments is measured in little time', () => {
  const fan = Array.from({ length: 40 }, (_, n) => `fragment f${n} on Query { ...f${n + 1} ...f${n + 1} }`).join(' ');
  const document = parse(`{ ...f0 } ${fan} fragment f40 on Query { __typename }`);
  const since = performance.now();
  expect(refusals(schema, document, {})[0]?.extensions.code).toBe('TOO_COMPLEX');
  expect(performance.now() - since).toBeLessThan(500);
});

test('a document of very many words is not even read to its end', () => {
  expect(() => parse(`{ ${'a: viewer { id } '.repeat(1_000)} }`, { maxTokens })).toThrow(/token/i);
});

test('a name may act so often at once, then waits; other names do not wait for it', () => {
  const limit = new RateLimit({ atOnce: 3, perMinute: 6 });
  for (let n = 0; n < 3; n += 1) limit.take('ada', 0);
  expect(() => limit.take('ada', 0)).toThrow('Try again in 10 s');
  limit.take('grace', 0);
  limit.take('ada', 10_000);
  expect(() => limit.take('ada', 10_001)).toThrow('Too many attempts');
});
