import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';

/** Why a part is not ready; null: it is. */
export type Readiness = string | null;

/**
 * What a process says about itself over HTTP:
 * `/livez` 200 while its event loop answers; `/readyz` 200 when every part is ready, else 503, with the parts and their reasons.
 * `/metrics` what is measured in it, in Prometheus' text format.
 * A database that is away makes it unready, not dead: a restart would not bring the database back.
 */
export class Health {
  readonly #parts = new Map<string, Readiness | (() => Readiness)>();
  readonly #metrics: Pick<Registry, 'metrics' | 'contentType'>;
  #server: Server | null = null;
  #draining = false;

  /** @param metrics what `/metrics` answers */
  constructor(metrics: Pick<Registry, 'metrics' | 'contentType'>) {
    this.#metrics = metrics;
  }

  /** A part that is not ready until it says so. A function is asked at every request. */
  expect(part: string, state: Readiness | (() => Readiness) = 'starting'): void {
    this.#parts.set(part, state);
  }

  ready(part: string): void {
    this.#parts.set(part, null);
  }

  notReady(part: string, reason: string): void {
    this.#parts.set(part, reason);
  }

  /** From now on nothing new should come here. */
  drain(): void {
    this.#draining = true;
  }

  /** @returns what `/readyz` says */
  report(): { readonly ready: boolean; readonly parts: Readonly<Record<string, string>> } {
    const states = [...this.#parts].map(
      ([part, state]) => [part, typeof state === 'function' ? state() : state] as const,
    );
    return {
      ready: !this.#draining && states.every(([, reason]) => reason === null),
      parts: Object.fromEntries([
        ...(this.#draining ? [['process', 'shutting down']] : []),
        ...states.map(([part, reason]) => [part, reason ?? 'ready']),
      ]),
    };
  }

  /** @returns the port it listens on. @throws Error naming HEALTH_PORT when that is taken */
  async listen(host: string, port: number): Promise<number> {
    const server = createServer((request, response) => {
      const path = request.url?.split('?')[0];
      if (path === '/metrics') {
        void this.#tellMetrics(response);
        return;
      }
      const known = path === '/livez' || path === '/readyz';
      const report = this.report();
      const status = !known ? 404 : path === '/livez' || report.ready ? 200 : 503;
      const body = !known
        ? { error: 'only /livez, /readyz and /metrics are here' }
        : path === '/livez'
          ? { alive: true }
          : report;
      response.writeHead(status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        connection: 'close',
      });
      response.end(JSON.stringify(body));
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          cause.code === 'EADDRINUSE'
            ? new Error(`Port ${port} is taken, so health could not be told. Cure: choose another with HEALTH_PORT.`, {
                cause,
              })
            : cause,
        ),
      );
      server.listen(port, host, resolve);
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** 500, with what failed, where a part cannot tell what it measures: a scraper counts that as down. */
  async #tellMetrics(response: ServerResponse): Promise<void> {
    const [status, type, text] = await this.#metrics.metrics().then(
      (answer) => [200, this.#metrics.contentType, answer] as const,
      (error: unknown) => [500, 'text/plain; charset=utf-8', `The metrics could not be read: ${error}\n`] as const,
    );
    response.writeHead(status, { 'content-type': type, connection: 'close' });
    response.end(text);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
