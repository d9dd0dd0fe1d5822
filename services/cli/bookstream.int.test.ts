import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../engines/ports.ts';
import { ephemeralFolder } from '../engines/start.ts';
import { isAlive } from './running.ts';

const command = join(import.meta.dirname, 'bookstream.ts');
let dataDir: string;
beforeEach(() => {
  dataDir = ephemeralFolder();
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, BOOKSTREAM_DATA: dataDir, ...env },
  });
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    output.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.err += chunk;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...output })),
  );
  return { child, output, ended };
}

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => start(args, env).ended;

async function eventually(what: string, condition: () => boolean, deadlineMs = 60_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`did not happen within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('exit codes', () => {
  test('0 for help and version, with the codes and examples in the help', async () => {
    const help = await run(['--help']);
    expect(help.code).toBe(0);
    expect(help.out).toMatch(/Exit codes:[\s\S]*Examples:/);
    expect(await run(['--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test('2 for a typo, with a suggestion', async () => {
    expect(await run(['statsu'])).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean status?') });
    expect(await run(['service', 'shop'])).toMatchObject({ code: 2, err: expect.stringContaining('gateway') });
  });

  test('3 with the cure when nothing runs', async () => {
    for (const args of [['status'], ['topics'], ['topics', '--internal'], ['dlq', 'list'], ['setup']]) {
      expect(await run(args)).toMatchObject({ code: 3, err: expect.stringContaining('Cure: npm start') });
    }
  });

  test('2 for a redrive that does not say of what, and 3 for a reset where no Kafka has ever been', async () => {
    expect(await run(['dlq', 'redrive'])).toMatchObject({ code: 2, err: expect.stringContaining('nothing was sent') });
    expect(await run(['dlq', 'redrive', 'stock.commands'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('such as orders.commands.dlq-2@17'),
    });
    expect(await run(['reset', '--decide-again'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--application'),
    });
    expect(await run(['reset', '--application', 'stock'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('There are: bookstream-catalogue'),
    });
    expect(await run(['reset', '--application', 'bookstream-stock'])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/KAFKA_URL is not set .*; nothing was done\. Cure: /),
    });
  });

  test('3 for a service without its configuration: every missing variable is named', async () => {
    const { code, err } = await run(['service', 'stock']);
    expect(code).toBe(3);
    for (const variable of ['KAFKA_URL', 'REGISTRY_URL', 'POSTGRES_URL', 'MONGO_URL', 'REDIS_URL']) {
      expect(err).toContain(`${variable} is not set`);
    }
  });
});

describe('up', () => {
  test('refuses a taken port before it starts anything', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { code, err } = await run(['up'], { PORT: String(port) });
    taken.close();
    expect(code).toBe(3);
    expect(err).toContain(`port ${port}: taken. Cure:`);
    expect(existsSync(join(dataDir, 'logs'))).toBe(false);
  });

  test.each(['abc', '0', '70000', '4045'])('refuses PORT=%s and says why', async (port) => {
    const { code, err } = await run(['up'], { PORT: port });
    expect(code).toBe(2);
    expect(err).toMatch(
      /^PORT cannot be used; nothing was done: .*(a number from 1|browsers refuse).* Cure: PORT=4000\n$/,
    );
  });

  test('refuses a data folder on which another one runs', async () => {
    mkdirSync(dataDir, { recursive: true });
    const running = { pid: process.pid, startedAt: Date.now(), urls: {}, gatewayUrl: 'http://localhost:4999' };
    writeFileSync(join(dataDir, 'running.json'), JSON.stringify(running));
    const { code, err } = await run(['up'], { PORT: String(await freePort()) });
    expect(code).toBe(3);
    expect(err).toContain(`already runs on ${dataDir} (process ${process.pid}) at http://localhost:4999`);
  });

  test('leaves no process behind when it is killed with SIGKILL as the engines are up', async () => {
    const { child, output, ended } = start(['up', '--no-web', '--no-seed'], { PORT: String(await freePort()) });
    await eventually('the engines are up', () => output.err.includes('ok engines'));
    const children = childrenOf(child.pid ?? 0);
    expect(children.length).toBeGreaterThanOrEqual(5);
    child.kill('SIGKILL');
    await ended;
    await eventually('all of them have ended', () => !children.some(isAlive), 20_000);
  }, 120_000);

  test('stops in order on SIGTERM while it is still starting', async () => {
    const { child, output, ended } = start(['up', '--no-web', '--no-seed'], { PORT: String(await freePort()) });
    await eventually('it has begun', () => existsSync(join(dataDir, 'logs', 'postgres.log')));
    const children = childrenOf(child.pid ?? 0);
    child.kill('SIGTERM');
    const { code } = await ended;
    expect(code).toBe(0);
    expect(output.err).toContain('stopped');
    await eventually('all of them have ended', () => !children.some(isAlive), 20_000);
  }, 120_000);
});

test('reset removes data and keeps downloads; without a terminal it asks for --yes', async () => {
  for (const name of ['tools', 'kafka-1', 'postgres']) mkdirSync(join(dataDir, name), { recursive: true });
  expect(await run(['reset'])).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
  expect(await run(['reset', '--dry-run'])).toMatchObject({ code: 0 });
  expect(existsSync(join(dataDir, 'postgres'))).toBe(true);
  expect(await run(['reset', '--yes'])).toMatchObject({ code: 0 });
  expect([existsSync(join(dataDir, 'tools')), existsSync(join(dataDir, 'postgres'))]).toEqual([true, false]);
});

test('doctor tells versions and cures as JSON', async () => {
  const { code, out } = await run(['doctor', '--json'], { PORT: String(await freePort()) });
  const findings: { what: string; ok: boolean; cure?: string }[] = JSON.parse(out);
  expect(findings.map((finding) => finding.what)).toEqual(
    expect.arrayContaining(['Node', 'Java', 'Maven', 'disk', 'memory']),
  );
  expect(code).toBe(findings.every((finding) => finding.ok) ? 0 : 3);
});

/** Linux keeps them in /proc. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
