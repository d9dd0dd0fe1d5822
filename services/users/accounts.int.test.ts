import { randomUUID } from 'node:crypto';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import { createLocalJWKSet } from 'jose';
import type { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Engines, ephemeralFolder, startEngines } from '../engines/start.ts';
import { endPool } from '../platform/end-pool.ts';
import { ensureDatabase } from '../platform/ensure-database.ts';
import { Accounts, type Result, type Session } from './accounts.ts';
import { migrate } from './database.ts';
import { openAccounts } from './open.ts';
import { RefreshTokens } from './refresh-tokens.ts';
import { unseal } from './sealing.ts';
import { type TokenIssuer, verifyAccessToken } from './tokens.ts';

let engines: Engines;
let url: string;
let pool: Pool;
let accounts: Accounts;
let tokens: TokenIssuer;

beforeAll(async () => {
  await useLocalSchemas();
  engines = await startEngines({ only: ['postgres'], dataDir: ephemeralFolder(), ephemeral: true });
  url = String(engines.urls.USERS_POSTGRES_URL);
  await migrate(url);
  ({ pool, accounts, tokens } = await openAccounts(url));
});
afterAll(async () => {
  if (pool !== undefined) await endPool(pool);
  await engines?.[Symbol.asyncDispose]();
});

test('on a server that has no such database yet, it is made, once, by however many begin at the same time', async () => {
  const missing = Object.assign(new URL(url), { pathname: '/not_there "yet"' }).href;
  await Promise.all([ensureDatabase(missing), ensureDatabase(missing), ensureDatabase(missing)]);
  expect(await migrate(missing)).not.toEqual([]);
  await ensureDatabase(missing);
});

const password = 'a long enough sentence';
const newcomer = (email = `${randomUUID()}@bookstream.test`) => ({
  email,
  password,
  displayName: 'Ada',
  correlationId: randomUUID(),
});

const granted = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.refusals.map((refusal) => refusal.message).join(' '));
  return result.value;
};
const codesOf = (result: Result<unknown>) => (result.ok ? [] : result.refusals.map((refusal) => refusal.code));

const register = async (email?: string): Promise<Session> => granted(await accounts.register(newcomer(email)));

/** The events that wait to be told of a person, in order. */
async function told(userId: string) {
  const { rows } = await pool.query('select value from outbox where key = $1 order by id', [userId]);
  return rows.map((row) => topics.usersEvents.valueSerde.deserialize(topics.usersEvents.name, row.value));
}

test('an account and the event that tells of it are one: name and address are in it, but sealed', async () => {
  const { person } = await register();
  const [event, ...more] = await told(person.userId);
  expect(more).toEqual([]);
  expect(event).toMatchObject({ type: 'UserRegistered', userId: person.userId, role: 'SHOPPER' });
  if (event?.type !== 'UserRegistered') throw new Error('another event');
  expect(Buffer.from(event.sealed).includes(person.email)).toBe(false);
  const { rows } = await pool.query('select personal_key from users where user_id = $1', [person.userId]);
  expect(unseal(rows[0].personal_key, person.userId, event.sealed)).toEqual({
    email: person.email,
    displayName: 'Ada',
  });
});

test('when the event cannot be written there is no account either', async () => {
  const email = `${randomUUID()}@bookstream.test`;
  const broken = new Accounts({
    pool,
    tokens,
    refresh: await RefreshTokens.open(pool),
    write: () => Promise.reject(new Error('no outbox')),
  });
  await expect(broken.register(newcomer(email))).rejects.toThrow('no outbox');
  expect((await pool.query('select 1 from users where email = $1', [email])).rowCount).toBe(0);
});

test('an address has one account, whatever its letters; of four at once one is made', async () => {
  const email = `Grace.${randomUUID()}@Bookstream.test`;
  const results = await Promise.all(
    Array.from({ length: 4 }, (_, n) => accounts.register(newcomer(n % 2 === 0 ? email : email.toUpperCase()))),
  );
  expect(results.filter((result) => result.ok)).toHaveLength(1);
  expect(results.flatMap(codesOf)).toEqual(['EMAIL_TAKEN', 'EMAIL_TAKEN', 'EMAIL_TAKEN']);
});

test('a wrong password and an unknown address get the same answer', async () => {
  const { person } = await register();
  const wrong = await accounts.login({ email: person.email, password: 'another sentence, quite wrong' });
  const unknown = await accounts.login({ email: `${randomUUID()}@bookstream.test`, password });
  expect(wrong).toEqual(unknown);
  expect(codesOf(wrong)).toEqual(['INVALID_CREDENTIALS']);
  expect(granted(await accounts.login({ email: person.email.toUpperCase(), password })).person).toEqual(person);
});

test('an access token says who it is for, and the published keys prove it, also after the key has changed', async () => {
  const { person, accessToken, expiresAtMs } = await register();
  await tokens.rotate();
  const after = granted(await accounts.login({ email: person.email, password }));
  const keys = createLocalJWKSet(await tokens.publicKeys());
  for (const token of [accessToken, after.accessToken]) {
    expect(await verifyAccessToken(token, keys)).toMatchObject({ userId: person.userId, role: 'SHOPPER' });
  }
  expect(expiresAtMs - Date.now()).toBeGreaterThan(9 * 60_000);
  expect(expiresAtMs - Date.now()).toBeLessThanOrEqual(10 * 60_000);
});

test('a refresh token is good once; two tabs that race get the same successor', async () => {
  const { refreshToken } = await register();
  const [one, two] = await Promise.all([accounts.refresh(refreshToken), accounts.refresh(refreshToken)]);
  expect(granted(one).refreshToken).toBe(granted(two).refreshToken);
  expect(granted(one).refreshToken).not.toBe(refreshToken);
});

test('a refresh token that comes back later was stolen: the whole login ends', async () => {
  const { refreshToken } = await register();
  const next = granted(await accounts.refresh(refreshToken));
  await pool.query(
    `update refresh_tokens set rotated_at = rotated_at - interval '1 minute' where rotated_at is not null`,
  );
  expect(codesOf(await accounts.refresh(refreshToken))).toEqual(['INVALID_CREDENTIALS']);
  expect(codesOf(await accounts.refresh(next.refreshToken))).toEqual(['INVALID_CREDENTIALS']);
});

test('leaving ends one login, a new password all others', async () => {
  const here = await register();
  const { email } = here.person;
  const there = granted(await accounts.login({ email, password }));
  const left = granted(await accounts.login({ email, password }));
  await accounts.logout(left.refreshToken);
  expect(codesOf(await accounts.refresh(left.refreshToken))).toEqual(['INVALID_CREDENTIALS']);

  const { userId, familyId } = await tokens.verify(here.accessToken);
  const change = { userId, familyId, newPassword: 'quite another sentence', correlationId: randomUUID() };
  expect(codesOf(await accounts.changePassword({ ...change, currentPassword: 'not this one, no' }))).toEqual([
    'INVALID_CREDENTIALS',
  ]);
  granted(await accounts.changePassword({ ...change, currentPassword: password }));
  expect(codesOf(await accounts.refresh(there.refreshToken))).toEqual(['INVALID_CREDENTIALS']);
  granted(await accounts.refresh(here.refreshToken));
  expect(codesOf(await accounts.login({ email, password }))).toEqual(['INVALID_CREDENTIALS']);
  granted(await accounts.login({ email, password: 'quite another sentence' }));
  expect((await told(userId)).map((event) => event.type)).toEqual(['UserRegistered', 'PasswordChanged']);
});

test('a seed may ask for the same people again', async () => {
  const admin = { email: `${randomUUID()}@bookstream.test`, password, displayName: 'Admin', role: 'ADMIN' } as const;
  const first = await accounts.ensure(admin);
  expect(await accounts.ensure(admin)).toEqual(first);
  expect(first.role).toBe('ADMIN');
  expect(await told(first.userId)).toHaveLength(1);
});
