import { createServer, type IncomingMessage, type Server } from 'node:http';
import { QueryError } from '../errors.ts';
import type { QueryAddress, QueryDirectory } from './directory.ts';
import type { AnsweringInstance } from './queried-instance.ts';
import type { QueryToken } from './query-token.ts';
import { decodeQuery, encodeAnswer } from './row-codec.ts';

export interface QueryEndpointOptions {
  /** Address to listen on. Without a `queryToken` whoever reaches it can read every store: keep it to a network of your own. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** What others call it by; default `host`. */
  readonly advertisedHost?: string;
}

const largestQuery = 64 * 1024;

/**
 * Answers other instances from what this one has, and never asks on:
 * `GET /tasks?application=` which tasks are here, `POST /rows` the rows of one partition (404: no such application or store, 400: not a query,
 * 401: without the token).
 */
export class QueryEndpoint {
  readonly #instanceId: string;
  readonly #applications: ReadonlyMap<string, AnsweringInstance>;
  readonly #token: QueryToken | null;
  #server: Server | null = null;

  /** @param token null: everybody is answered */
  constructor(instanceId: string, applications: ReadonlyMap<string, AnsweringInstance>, token: QueryToken | null) {
    this.#token = token;
    this.#instanceId = instanceId;
    this.#applications = applications;
  }

  /** Listens, and tells the directory. @throws Error – the port is taken, or the directory refuses it */
  async open(options: QueryEndpointOptions, directory: QueryDirectory | undefined): Promise<QueryAddress> {
    const port = await this.#listen(options);
    const address = { instanceId: this.#instanceId, host: options.advertisedHost ?? options.host, port };
    await directory?.announce(address);
    return address;
  }

  async #listen({ host, port }: QueryEndpointOptions): Promise<number> {
    const server = createServer((request, response) => {
      void this.#answer(request).then(({ status, body }) => {
        response.writeHead(status, {
          'content-type': 'application/json',
          'cache-control': 'no-store',
          ...(status === 401 && { 'www-authenticate': 'Bearer' }),
        });
        response.end(body);
      });
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new Error(`queries cannot be answered on ${host}:${port}; choose another port`, { cause })),
      );
      server.listen(port, host, resolve);
    });
    server.unref(); // the worker's own work keeps the process alive
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  async #answer(request: IncomingMessage): Promise<{ readonly status: number; readonly body: string }> {
    const fault = (status: number, error: unknown) => ({
      status,
      body: JSON.stringify({ error: error instanceof Error ? error.message : String(error) }),
    });
    if (this.#token?.admits(request.headers.authorization) === false)
      return fault(
        401,
        'only who shows the token of these instances is answered (Authorization: Bearer …); nothing was read. Give the asker the same queryToken.',
      );
    try {
      const url = new URL(request.url ?? '/', 'http://here');
      if (request.method === 'GET' && url.pathname === '/tasks') {
        const here = await this.#of(url.searchParams.get('application')).tasks();
        return { status: 200, body: JSON.stringify(here) };
      }
      if (request.method !== 'POST' || url.pathname !== '/rows')
        return fault(404, 'only GET /tasks and POST /rows are here');
      const asked = JSON.parse(await bodyOf(request)) as Partial<Record<string, unknown>>; // each member is looked at
      const here = this.#of(asked.application);
      const answer = await here.rows(String(asked.store), Number(asked.partition), decodeQuery(asked.query));
      return { status: 200, body: encodeAnswer(answer) };
    } catch (error) {
      if (error instanceof QueryError) return fault(404, error);
      return fault(error instanceof SyntaxError || error instanceof TypeError ? 400 : 500, error);
    }
  }

  #of(application: unknown): AnsweringInstance {
    const here = this.#applications.get(String(application));
    if (here === undefined) throw new QueryError(`application ${application} does not run here`);
    return here;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > largestQuery) throw new TypeError(`a query has at most ${largestQuery} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
