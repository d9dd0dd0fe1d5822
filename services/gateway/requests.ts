import type { IncomingMessage } from 'node:http';
import { GraphQLError } from 'graphql';
import { parseTrace, traceHeader } from '../platform/trace.ts';
import type { Caller } from './access.ts';
import { type GatewayContext, loadersOf, type Services } from './context.ts';

const cookieName = 'bookstream_refresh';

/** The token of `Bearer <token>`. */
export const bearer = (header: unknown): string | null => {
  const match = typeof header === 'string' ? /^Bearer\s+(\S+)$/i.exec(header) : null;
  return match?.[1] ?? null;
};

/** Refresh tokens are base64url, so they stand in the cookie as they are; what is none is as good as absent. */
export const refreshTokenOf = (request: Pick<IncomingMessage, 'headers'>): string | null => {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=');
    if (name === cookieName && value && /^[\w-]{1,200}$/.test(value)) return value;
  }
  return null;
};

/** HttpOnly and Strict: no script reads it, no other site sends it. Secure where the shop is reached over TLS. */
export function refreshCookie(
  request: Pick<IncomingMessage, 'headers'>,
  token: string | null,
  expiresAtMs: number,
): string {
  const secure = request.headers['x-forwarded-proto'] === 'https' ? '; Secure' : '';
  const age = token === null ? 0 : Math.max(0, Math.floor((expiresAtMs - Date.now()) / 1000));
  return `${cookieName}=${token ?? ''}; Path=/graphql; HttpOnly; SameSite=Strict; Max-Age=${age}${secure}`;
}

/** A page of another site must not open a socket in a visitor's name: browsers send Origin, and CORS does not hold for sockets. */
export function isOwnOrigin({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  if (headers.origin === undefined) return true; // no browser
  return URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host;
}

/** What a request has, begun in the trace it came with. */
export function contextOf(
  services: Services,
  request: IncomingMessage,
  given: Pick<GatewayContext, 'caller' | 'token' | 'setRefreshCookie'>,
): GatewayContext {
  const operation = services.operations.begin(parseTrace(String(request.headers[traceHeader] ?? '')));
  const { trace } = operation;
  const caller: Caller | null = given.caller;
  return {
    services,
    operation,
    trace,
    logger: services.logger.with({ traceId: trace.traceId, ...(caller && { userId: caller.userId }) }),
    address: request.socket.remoteAddress ?? 'unknown',
    refreshToken: refreshTokenOf(request),
    loaders: loadersOf(services, caller),
    ...given,
  };
}

/** What went wrong inside is told to the log, with the trace; the client learns the trace only. */
export function masked(error: GraphQLError, context: Pick<GatewayContext, 'logger' | 'trace'>): GraphQLError {
  const cause = error.originalError;
  if (cause === undefined || cause === null || cause instanceof GraphQLError) return error;
  context.logger.error('resolver-failed', cause.message, { error: cause, path: error.path?.join('.') });
  return new GraphQLError('Something went wrong in the shop, not in what you sent; it is in the log. Try again.', {
    ...(error.path && { path: error.path }),
    ...(error.nodes && { nodes: error.nodes }),
    extensions: { code: 'INTERNAL', correlationId: context.trace.traceId },
  });
}
