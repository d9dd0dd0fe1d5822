import { createServer, type IncomingMessage, type Server } from 'node:http';
import { QueryError } from '../errors.ts';
import type { LocalRows } from './local-rows.ts';
import { decodeQuery, encodeAnswer } from './row-codec.ts';

export interface QueryEndpointOptions {
  /** Address to listen on. Whoever reaches it can read every store: keep it to a network of your own. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** What others call it by; default `host`. */
  readonly advertisedHost?: string;
}

/** What an instance says of its tasks. */
export interface TasksHere {
  readonly instanceId: string;
  readonly generationId: number;
  readonly tasks: readonly string[];
}

const largestQuery = 64 * 1024;

/**
 * Answers other instances from what this one has, and never asks on:
 * `GET /tasks?application=` which tasks are here, `POST /rows` the rows of one partition (404: no such application or store, 400: not a query).
 */
export class QueryEndpoint {
  readonly #instanceId: string;
  readonly #applications: ReadonlyMap<string, LocalRows>;
  #server: Server | null = null;

  constructor(instanceId: string, applications: ReadonlyMap<string, LocalRows>) {
    this.#instanceId = instanceId;
    this.#applications = applications;
  }

  /** @returns the port it listens on. @throws Error – the port is taken */
  async listen({ host, port }: QueryEndpointOptions): Promise<number> {
    const server = createServer((request, response) => {
      void this.#answer(request).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
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
    try {
      const url = new URL(request.url ?? '/', 'http://here');
      if (request.method === 'GET' && url.pathname === '/tasks') {
        const { state } = this.#rowsOf(url.searchParams.get('application'));
        const { generationId, taskIds: tasks } = state;
        const here: TasksHere = { instanceId: this.#instanceId, generationId, tasks };
        return { status: 200, body: JSON.stringify(here) };
      }
      if (request.method !== 'POST' || url.pathname !== '/rows')
        return fault(404, 'only GET /tasks and POST /rows are here');
      const asked = JSON.parse(await bodyOf(request)) as Partial<Record<string, unknown>>; // each member is looked at
      const rows = this.#rowsOf(asked.application);
      const store = rows.find(String(asked.store));
      const answer = rows.read(store, Number(asked.partition), decodeQuery(asked.query));
      return { status: 200, body: encodeAnswer(answer) };
    } catch (error) {
      if (error instanceof QueryError) return fault(404, error);
      return fault(error instanceof SyntaxError || error instanceof TypeError ? 400 : 500, error);
    }
  }

  #rowsOf(application: unknown): LocalRows {
    const rows = this.#applications.get(String(application));
    if (rows === undefined) throw new QueryError(`application ${application} does not run here`);
    return rows;
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
