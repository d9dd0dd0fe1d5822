import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from './errors.ts';

/** Ports handed out by this process and not yet bound by an engine: two engines starting side by side must not get the same. */
const promised = new Map<number, number>();
const promiseMs = 30_000;
const isPromised = (port: number): boolean => performance.now() - (promised.get(port) ?? -promiseMs) < promiseMs;

function listenOnce(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.unref();
    server.once('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
    });
  });
}

/** @returns a port of this machine nobody listens on now */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await listenOnce(0);
    if (port !== null && !isPromised(port)) {
      promised.set(port, performance.now());
      return port;
    }
  }
}

/** `preferred` when it is free, else any free one: engines are found by their URL, so their port may differ from start to start. */
export async function preferPort(preferred: number): Promise<number> {
  if (isPromised(preferred) || !claim(preferred)) return freePort();
  if ((await listenOnce(preferred)) === null) return freePort();
  promised.set(preferred, performance.now());
  return preferred;
}

const claimed = new Set<string>();
process.once('exit', () => {
  for (const file of claimed) rmSync(file, { force: true });
});

/**
 * Takes a usual port before other processes do that start engines now: an engine binds its port seconds after it was chosen, and the one that
 * came too late would find the other's engine ready and believe it its own. A file names us for as long as a promise, and while we live.
 */
function claim(port: number): boolean {
  const file = join(tmpdir(), `bookstream-port-${port}`);
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      claimed.add(file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return true; // no place for files: without this care
    }
    try {
      if (isKept(file)) return false;
      rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return true; // another user's, and an old one
    }
  }
}

function isKept(file: string): boolean {
  if (Date.now() - statSync(file).mtimeMs > promiseMs) return false;
  const owner = Number(readFileSync(file, 'utf8'));
  if (owner === 0) return true; // being written
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it lives, and is not ours to ask
  }
}

/** @throws EngineError when somebody listens on a port that was asked for by number */
export async function demandPort(engine: string, port: number, variable: string): Promise<number> {
  if ((await listenOnce(port)) === null) {
    throw new EngineError(engine, `Port ${port} is taken, so ${engine} was not started.`, {
      cure: `end what listens on ${port} (\`ss -ltnp sport = :${port}\` names it) or choose another with ${variable}.`,
    });
  }
  return port;
}
