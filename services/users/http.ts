import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { z } from 'zod';
import { parseTrace, traceHeader } from '../platform/trace.ts';
import type { Tracing } from '../platform/tracing.ts';
import type { Accounts, Refusal, Result } from './accounts.ts';
import { InvalidTokenError, TooManyLoginsError } from './errors.ts';
import type { AccessClaims, TokenIssuer } from './tokens.ts';

const credentials = z.object({ email: z.string().max(1000), password: z.string().max(1000) });
const registration = credentials.extend({ displayName: z.string().max(1000) });
const refreshing = z.object({ refreshToken: z.string().min(1).max(200) });
const lookup = z.object({ userIds: z.array(z.uuid()).max(100) });
const profile = z.object({ displayName: z.string().max(1000) });
const password = z.object({ currentPassword: z.string().max(1000), newPassword: z.string().max(1000) });

interface Call {
  readonly body: unknown;
  readonly correlationId: string;
  /** @throws InvalidTokenError – whoever acts on an account shows its owner's token, also inside the house */
  readonly caller: () => Promise<AccessClaims>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const answer = <T>(result: Result<T>, status = 200): Answer =>
  result.ok
    ? { status, body: result.value }
    : { status: 422, body: { refusals: result.refusals satisfies readonly Refusal[] } };

/**
 * The service's internal HTTP API: JSON in, JSON out.
 * 200/201 the value; 422 `{ refusals }` a person can act on; 400, 401, 403, 404, 429, 500 `{ code, message }`.
 */
export function usersApi(parts: {
  readonly accounts: Accounts;
  readonly tokens: TokenIssuer;
  readonly onFault: (error: unknown, correlationId: string) => void;
  /** A span for each request that has a route. */
  readonly tracing?: Pick<Tracing, 'serve'> | null;
}): RequestListener {
  const { accounts, tokens, tracing = null } = parts;
  const routes: Readonly<Record<string, (call: Call) => Promise<Answer>>> = {
    'GET /internal/jwks.json': async () => ({ status: 200, body: await tokens.publicKeys() }),
    'POST /internal/register': async ({ body, correlationId }) =>
      answer(await accounts.register({ ...registration.parse(body), correlationId }), 201),
    'POST /internal/login': async ({ body }) => answer(await accounts.login(credentials.parse(body))),
    'POST /internal/refresh': async ({ body }) => answer(await accounts.refresh(refreshing.parse(body).refreshToken)),
    'POST /internal/logout': async ({ body }) => {
      await accounts.logout(refreshing.parse(body).refreshToken);
      return { status: 200, body: {} };
    },
    'POST /internal/people': async ({ body, caller }) => {
      const { userId, role } = await caller();
      const { userIds } = lookup.parse(body);
      if (role !== 'ADMIN' && userIds.some((id) => id !== userId)) return forbidden;
      return { status: 200, body: await accounts.people(userIds) };
    },
    'POST /internal/profile': async ({ body, caller, correlationId }) => {
      const { userId } = await caller();
      return answer(await accounts.changeProfile(userId, profile.parse(body).displayName, correlationId));
    },
    'POST /internal/password': async ({ body, caller, correlationId }) => {
      const { userId, familyId } = await caller();
      return answer(await accounts.changePassword({ ...password.parse(body), userId, familyId, correlationId }));
    },
  };

  return (request, response) => {
    const correlationId = header(request, 'x-correlation-id') ?? randomUUID();
    const path = (request.url ?? '').split('?')[0];
    const route = routes[`${request.method} ${path}`];
    const span = route && tracing?.serve(`${request.method} ${path}`, parseTrace(header(request, traceHeader)));
    const run = async (): Promise<Answer> => {
      if (!route) return { status: 404, body: { code: 'NO_SUCH_ROUTE', message: `${request.method} ${path}` } };
      const body = request.method === 'POST' ? await readJson(request) : null;
      const caller = () => tokens.verify((header(request, 'authorization') ?? '').replace(/^Bearer /i, ''));
      return route({ body, correlationId, caller });
    };
    run()
      .catch((error: unknown) => {
        const known = faultAnswer(error);
        if (known) return known;
        parts.onFault(error, correlationId);
        return {
          status: 500,
          body: { code: 'FAULT', message: `The users service failed; see its log for ${correlationId}.` },
        };
      })
      .then((done) => {
        send(response, done);
        span?.is(`${request.method} ${path}`, { 'http.response.status_code': done.status });
        span?.end(done.status >= 500 ? 'a fault of the shop; the log tells it under this trace' : undefined);
      });
  };
}

const forbidden: Answer = {
  status: 403,
  body: { code: 'FORBIDDEN', message: 'Only an admin may look at other people.' },
};

function faultAnswer(error: unknown): Answer | null {
  if (error instanceof z.ZodError) {
    return { status: 400, body: { code: 'BAD_REQUEST', message: z.prettifyError(error) } };
  }
  if (error instanceof BodyError) return { status: 400, body: { code: 'BAD_REQUEST', message: error.message } };
  if (error instanceof InvalidTokenError) return { status: 401, body: { code: error.code, message: error.message } };
  if (error instanceof TooManyLoginsError) return { status: 429, body: { code: error.code, message: error.message } };
  return null;
}

class BodyError extends Error {}

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > 64 * 1024) throw new BodyError('The body is larger than 64 KiB.');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new BodyError('The body is not JSON.');
  }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
