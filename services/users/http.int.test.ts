import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import type { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Engines, ephemeralFolder, startEngines } from '../engines/start.ts';
import { endPool } from '../platform/end-pool.ts';
import type { Accounts, Session } from './accounts.ts';
import { migrate } from './database.ts';
import { usersApi } from './http.ts';
import { openAccounts } from './open.ts';

let engines: Engines;
let pool: Pool;
let accounts: Accounts;
let server: Server;
let url: string;
const faults: unknown[] = [];
const password = 'a long enough sentence';

beforeAll(async () => {
  useLocalSchemas();
  engines = await startEngines({ only: ['postgres'], dataDir: ephemeralFolder(), ephemeral: true });
  const database = String(engines.urls.USERS_POSTGRES_URL);
  await migrate(database);
  const opened = await openAccounts(database);
  ({ pool, accounts } = opened);
  server = createServer(usersApi({ ...opened, onFault: (error) => faults.push(error) }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's address
});
afterAll(async () => {
  await new Promise((resolve) => server?.close(resolve));
  if (pool !== undefined) await endPool(pool);
  await engines?.[Symbol.asyncDispose]();
});

async function post(path: string, body: unknown, token?: string) {
  const response = await fetch(`${url}/internal/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

const register = async (): Promise<Session> => {
  const answer = await post('register', { email: `${randomUUID()}@bookstream.test`, password, displayName: 'Ada' });
  expect(answer.status).toBe(201);
  return answer.body;
};

test('what a person can act on is 422 with its reasons; all of them at once', async () => {
  const answer = await post('register', { email: 'nobody', password: 'short', displayName: ' ' });
  expect(answer.status).toBe(422);
  expect(answer.body.refusals.map((refusal: { field: string }) => refusal.field)).toEqual([
    'email',
    'displayName',
    'password',
  ]);
});

test('nobody sees anybody else, and nobody without a token sees anybody', async () => {
  const [ada, grace] = [await register(), await register()];
  const { userId } = ada.person;
  expect((await post('people', { userIds: [userId] })).status).toBe(401);
  expect((await post('people', { userIds: [userId] }, `${ada.accessToken}x`)).status).toBe(401);
  expect((await post('people', { userIds: [userId] }, grace.accessToken)).status).toBe(403);
  expect((await post('people', { userIds: [userId] }, ada.accessToken)).body).toEqual([ada.person]);
  const email = `${randomUUID()}@bookstream.test`;
  await accounts.ensure({ email, password, displayName: 'Admin', role: 'ADMIN' });
  const admin: Session = (await post('login', { email, password })).body;
  const unknown = randomUUID();
  expect((await post('people', { userIds: [userId, unknown] }, admin.accessToken)).body).toEqual([ada.person, null]);
});

test('a profile is changed by its own token only', async () => {
  const ada = await register();
  expect((await post('profile', { displayName: 'Countess' })).status).toBe(401);
  const changed = await post('profile', { displayName: 'Countess', userId: randomUUID() }, ada.accessToken);
  expect(changed.body).toEqual({ ...ada.person, displayName: 'Countess' });
});

test.each([
  ['no JSON', 'register', 'email=a'],
  ['members that are missing', 'login', {}],
  ['members of another kind', 'login', { email: { $ne: null }, password: ['x'] }],
  ['more than 64 KiB', 'login', { email: 'x'.repeat(70_000), password: 'x' }],
])('%s is 400, and no fault', async (_, path, body) => {
  const before = faults.length;
  expect((await post(path, body)).status).toBe(400);
  expect(faults.length).toBe(before);
});

test('a password never comes back, in no answer', async () => {
  const ada = await register();
  const again = await post('login', { email: ada.person.email, password });
  expect(JSON.stringify([ada, again.body])).not.toMatch(/argon2|a long enough|personal_key|password/);
});
