import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getIntrospectionQuery } from 'graphql';
import { createClient } from 'graphql-ws';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { readMetrics } from '../e2e/metrics-answer.ts';
import { createLogger } from '../platform/logger.ts';
import type { AccessClaims } from '../users/tokens.ts';
import type { Services } from './context.ts';
import { GatewayMetrics } from './metrics.ts';
import { Operations } from './operations.ts';
import { createGateway } from './server.ts';

/** Whatever is asked of it fails, and it remembers what was asked: here nothing behind the door may be touched. */
const touched: string[] = [];
const closedDoor = (name: string) =>
  new Proxy({} as never, {
    get: (_target, property) => {
      touched.push(`${name}.${String(property)}`);
      throw new Error(`${name} was touched: secret of the house`);
    },
  });

const logged: string[] = [];
const minute = 60_000;
const claims: Record<string, AccessClaims> = {
  ada: { userId: 'ada', role: 'SHOPPER', familyId: 'f', expiresAtMs: Date.now() + 10 * minute },
  admin: { userId: 'admin', role: 'ADMIN', familyId: 'f', expiresAtMs: Date.now() + 10 * minute },
};

const registry = new Registry();
const services: Services = {
  postgres: closedDoor('postgres'),
  mongo: closedDoor('mongo'),
  kafka: closedDoor('kafka'),
  hub: closedDoor('hub'),
  commands: closedDoor('commands'),
  discovery: closedDoor('discovery'),
  operations: new Operations(new GatewayMetrics(registry), null),
  users: {
    verify: async (token: string) =>
      token === 'brief' ? { ...claims.ada, expiresAtMs: Date.now() + 300 } : (claims[token] ?? null),
  } as unknown as Services['users'], // the only question these tests lead to
  logger: createLogger({ service: 'gateway', instance: 'test', write: (line) => logged.push(line) }),
};

const pageFolder = mkdtempSync(join(tmpdir(), 'bookstream-page-'));
const script = 'start();';
mkdirSync(join(pageFolder, '_app/immutable'), { recursive: true });
writeFileSync(
  join(pageFolder, 'index.html'),
  `<html><script src="/theme.js"></script><script>${script}</script></html>`,
);
writeFileSync(join(pageFolder, 'theme.js'), 'dark();');
writeFileSync(join(pageFolder, '_app/immutable/app.4711.js'), 'shop();');

const gateway = createGateway(services, pageFolder);
let origin: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => gateway.server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(gateway.server.address() as AddressInfo).port}`; // a TCP server's address
});
afterAll(async () => {
  await gateway.close();
  rmSync(pageFolder, { recursive: true });
});

async function ask(query: string, variables: Record<string, unknown> = {}, token?: string) {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  return { response, ...((await response.json()) as Answer) }; // every answer of the API has this form
}

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string; readonly correlationId?: string };
  }[];
}

const codes = ({ errors = [] }: Answer) => errors.map((error) => error.extensions?.code);

const order = (quantity: unknown) => ({
  input: {
    idempotencyKey: 'a key of mine',
    lines: [{ bookId: '00000000-0000-4000-8000-000000000000', quantity, expectedUnitPrice: { minor: '100' } }],
  },
});
const orderPlace = 'mutation ($input: OrderPlaceInput!) { orderPlace(input: $input) { order { id } } }';

test('without a login, or without the role, nothing behind the door is touched', async () => {
  const before = touched.length;
  expect(codes(await ask(orderPlace, order(1)))).toEqual(['UNAUTHENTICATED']);
  expect(codes(await ask(orderPlace, order(1), 'a token that is none'))).toEqual(['UNAUTHENTICATED']);
  expect(codes(await ask('{ admin { services { name } } }', {}, 'ada'))).toEqual(['FORBIDDEN']);
  const restock =
    'mutation { adminStockRestock(input: { idempotencyKey: "12345678", bookId: "x", quantity: 1 }) { pending } }';
  expect(codes(await ask(restock, {}, 'ada'))).toEqual(['FORBIDDEN']);
  expect(touched.slice(before)).toEqual([]);
});

test.each([2 ** 31, 1.5, '1', null, 1e300])('a quantity of %j is no Int', async (quantity) => {
  const before = touched.length;
  expect(codes(await ask(orderPlace, order(quantity), 'ada'))).toEqual(['BAD_USER_INPUT']);
  expect(touched.slice(before)).toEqual([]);
});

test('a fault of the house is masked, with a trace under which the log tells it', async () => {
  const answer = await ask('{ books(first: 1) { edges { node { id } } } }');
  expect(codes(answer)).toEqual(['INTERNAL']);
  expect(JSON.stringify(answer)).not.toContain('secret of the house');
  const trace = answer.errors?.[0]?.extensions?.correlationId ?? 'none';
  expect(answer.response.headers.get('x-correlation-id')).toBe(trace);
  expect(logged.find((line) => line.includes(trace) && line.includes('secret of the house'))).toBeDefined();
});

test('too much at once is refused before it runs, over HTTP and sockets alike', async () => {
  const before = touched.length;
  const query = 'query ($n: Int = 100000) { books(first: $n) { edges { node { id } } } }';
  expect(codes(await ask(query))).toEqual(['TOO_COMPLEX']);
  const refused = await firstOf(query);
  expect(JSON.stringify(refused)).toContain('TOO_COMPLEX');
  const words = await ask(`{ ${'a: viewer { id } '.repeat(1_000)} }`);
  expect(words.errors).toHaveLength(1);
  expect(touched.slice(before)).toEqual([]);
});

test('JSON of a known and bearable length only, and no mutation by GET', async () => {
  const post = (headers: Record<string, string>, body: string) =>
    fetch(`${origin}/graphql`, { method: 'POST', headers, body }).then(({ status }) => status);
  expect(await post({ 'content-type': 'text/plain' }, '{"query":"{__typename}"}')).toBe(415);
  expect(await post({ 'content-type': 'application/x-www-form-urlencoded' }, 'query={__typename}')).toBe(415);
  expect(await post({ 'content-type': 'application/json' }, ' '.repeat(300_000))).toBe(413);
  const get = await fetch(
    `${origin}/graphql?query=${encodeURIComponent('mutation { logout { userErrors { code } } }')}`,
  );
  expect(get.status).toBe(405);
  const chunked = await raw(
    'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  );
  expect(chunked).toContain('411');
});

test.each(['/%', '//', '/%00', '/..%2f..%2fpackage.json', '/covers/%.svg', '/a?%'])(
  'the address %s harms nobody',
  async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (200|400|404|503) /);
    expect(answer).not.toContain('workspaces');
    expect(codes(await ask('{ viewer { id } }'))).toEqual([]);
  },
);

test('the query editor needs nothing from elsewhere and may ask for the schema', async () => {
  const editor = await fetch(`${origin}/graphql`, { headers: { accept: 'text/html' } });
  const html = await editor.text();
  expect(html).toMatch(/graphiql/i);
  expect(html).not.toMatch(/(src|href)="?https?:\/\//);
  expect((await ask(getIntrospectionQuery())).data?.__schema).toBeDefined();
});

test('every address of the page gets the page, which may run its own scripts only', async () => {
  for (const path of ['/', '/orders/4711', '/admin/logs']) {
    const page = await fetch(`${origin}${path}`);
    expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-cache']);
    const hash = createHash('sha256').update(script).digest('base64');
    const policy = page.headers.get('content-security-policy');
    expect(policy).toContain(`script-src 'self' 'sha256-${hash}';`);
    expect(policy).toContain("frame-ancestors 'none'");
  }
  const hashed = await fetch(`${origin}/_app/immutable/app.4711.js`);
  expect([await hashed.text(), hashed.headers.get('cache-control')]).toEqual([
    'shop();',
    'public, max-age=31536000, immutable',
  ]);
  expect((await fetch(`${origin}/theme.js`)).headers.get('cache-control')).toBe('no-cache');
  expect((await fetch(`${origin}/_app/immutable/gone.js`)).status).toBe(404);
  expect((await fetch(`${origin}/orders`, { method: 'POST' })).status).toBe(405);
});

test('no page of another site opens a socket', async () => {
  const open = (from: string) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(`${origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { origin: from });
      socket.once('open', () => resolve('open')).once('error', (error) => resolve(error.message));
      socket.once('open', () => socket.close());
    });
  expect(await open(origin)).toBe('open');
  expect(await open('https://elsewhere.example')).toContain('401');
});

test('a socket ends with its token, so that the client comes back with a fresh one', async () => {
  const closed = Promise.withResolvers<{ code: number }>();
  const client = createClient({
    url: `${origin.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    lazy: false,
    retryAttempts: 0,
    connectionParams: { authorization: 'Bearer brief' },
    onNonLazyError: () => {},
    on: { closed: (event) => closed.resolve(event as { code: number }) },
  });
  expect((await closed.promise).code).toBe(4403);
  await client.dispose();
});

const measured = async () => readMetrics(await registry.metrics());

/** The value of one sample; 0 where there is none yet. */
async function counted(name: string, labels: Readonly<Record<string, string>>): Promise<number> {
  const { samples = [] } = (await measured()).get(name) ?? {};
  const wanted = Object.entries(labels);
  return samples.find((one) => wanted.every(([label, value]) => one.labels[label] === value))?.value ?? 0;
}

test('what is asked is counted by what became of it, under names of the schema only', async () => {
  const total = (type: string, operation: string, outcome: string) =>
    counted('gateway_operations_total', { type, operation, outcome });
  const places = [
    ['query', 'viewer', 'ok'],
    ['query', 'books', 'failed'],
    ['mutation', 'orderPlace', 'refused'],
    ['query', 'other', 'ok'],
    ['query', 'books', 'refused'],
    ['unknown', 'other', 'refused'],
  ] as const;
  const all = () => Promise.all(places.map(([type, operation, outcome]) => total(type, operation, outcome)));
  const before = await all();
  const secret = 'query Ada_4711 { a: viewer { id } b: viewer { id } }';
  for (const send of [(query: string) => ask(query), firstOf]) {
    await send('{ viewer { id } }');
    await send('{ books(first: 1) { edges { node { id } } } }');
    await send(`mutation { orderPlace(input: { idempotencyKey: "12345678", lines: [] }) { pending } }`);
    await send(secret);
    await send('{ books(first: 100000) { edges { node { id } } } }');
    await send('{ no such');
  }
  const after = await all();
  expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual(places.map(() => 2));
  expect(await registry.metrics()).not.toContain('4711');
  for (const [name, { samples }] of await measured())
    for (const { labels } of samples)
      expect(
        Object.keys(labels).filter((label) => !['type', 'operation', 'outcome', 'le'].includes(label)),
        name,
      ).toEqual([]);
  expect(await counted('gateway_operation_duration_seconds', { type: 'query', operation: 'viewer', le: '+Inf' })).toBe(
    await total('query', 'viewer', 'ok'),
  );
});

test('a socket is counted while it is open', async () => {
  await expect.poll(() => counted('gateway_open_websockets', {})).toBe(0); // those of the tests before have closed
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await expect.poll(() => counted('gateway_open_websockets', {})).toBe(1);
  socket.close();
  await expect.poll(() => counted('gateway_open_websockets', {})).toBe(0);
});

/** The first answer over a socket, or what was thrown instead. */
async function firstOf(query: string): Promise<unknown> {
  const client = createClient({
    url: `${origin.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  try {
    return (await client.iterate({ query }).next()).value;
  } catch (refusal) {
    return refusal;
  } finally {
    await client.dispose();
  }
}

/** What a server says to bytes that no client of ours would send. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin);
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let answer = '';
    socket.on('data', (chunk) => (answer += String(chunk)));
    socket.once('close', () => resolve(answer)).once('error', reject);
  });
}
