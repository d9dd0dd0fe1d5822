import { buildSchema, type GraphQLObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { demand, enforceAccess, mayRead } from './access.ts';
import { schema } from './schema.ts';

const caller = (role: 'SHOPPER' | 'ADMIN', expiresAtMs = Date.now() + 60_000) =>
  ({ userId: 'ada', role, familyId: 'f', expiresAtMs }) as const;
const codeOf = (act: () => unknown) => {
  try {
    act();
    return null;
  } catch (error) {
    return (error as { extensions: { code: string } }).extensions.code; // all refusals have one
  }
};

test('who may ask', () => {
  expect(codeOf(() => demand('PUBLIC', null))).toBeNull();
  expect(codeOf(() => demand('SHOPPER', null))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => demand('SHOPPER', caller('SHOPPER', Date.now() - 1)))).toBe('UNAUTHENTICATED');
  expect(codeOf(() => demand('ADMIN', caller('SHOPPER')))).toBe('FORBIDDEN');
  expect(codeOf(() => demand('ADMIN', caller('ADMIN')))).toBeNull();
  expect([mayRead(null, 'ada'), mayRead(caller('SHOPPER'), 'grace'), mayRead(caller('ADMIN'), 'grace')]).toEqual([
    false,
    false,
    true,
  ]);
});

test.each(['Mutation', 'Subscription', 'Admin'])(
  'every field of %s refuses somebody who may not, before it does anything',
  (name) => {
    const open = ['register', 'login', 'refresh', 'logout'];
    const type = schema.getType(name) as GraphQLObjectType; // by name
    for (const [field, { resolve, subscribe }] of Object.entries(type.getFields())) {
      if (open.includes(field)) continue;
      for (const act of [resolve, subscribe].filter((one) => one !== undefined)) {
        const code = codeOf(() => act({}, {}, { caller: null } as never, {} as never)); // nothing else may be looked at
        expect([field, code]).toEqual([field, 'UNAUTHENTICATED']);
      }
    }
  },
);

test('a mutation that nobody thought about is a schema that does not start', () => {
  const forgotten = buildSchema('type Query { a: Int } type Mutation { wipe: Int }');
  expect(() => enforceAccess(forgotten)).toThrow('Mutation.wipe has no @auth');
});
