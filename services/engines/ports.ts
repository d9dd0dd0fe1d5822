import { createServer } from 'node:net';
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
  if (isPromised(preferred) || (await listenOnce(preferred)) === null) return freePort();
  promised.set(preferred, performance.now());
  return preferred;
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
