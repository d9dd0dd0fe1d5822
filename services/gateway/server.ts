import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import {
  type ExecutionArgs,
  execute,
  type FormattedExecutionResult,
  GraphQLError,
  parse,
  subscribe,
  validate,
} from 'graphql';
import { type CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { createYoga, type Plugin } from 'graphql-yoga';
import { type WebSocket, WebSocketServer } from 'ws';
import { childOf, newTrace, parseTrace, traceHeader } from '../platform/trace.ts';
import type { Caller } from './access.ts';
import { type GatewayContext, loadersOf, type Services } from './context.ts';
import { serveCover } from './covers.ts';
import { unauthenticated } from './errors.ts';
import { exceeds } from './limits.ts';
import { securityHeaders, servePage } from './page.ts';
import { schema } from './schema.ts';

const cookieName = 'bookstream_refresh';
const tokenEnded = 4403;
const restarting = 1012;
const mostBodyBytes = 256 * 1024;

interface ServerContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

const bearer = (header: unknown): string | null => {
  const match = typeof header === 'string' ? /^Bearer\s+(\S+)$/i.exec(header) : null;
  return match?.[1] ?? null;
};

const cookieOf = (request: IncomingMessage): string | null => {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=');
    if (name === cookieName && value) return decodeURIComponent(value);
  }
  return null;
};

/** HttpOnly and Strict: no script reads it, no other site sends it. Secure where the shop is reached over TLS. */
function refreshCookie(request: IncomingMessage, token: string | null, expiresAtMs: number): string {
  const secure = request.headers['x-forwarded-proto'] === 'https' ? '; Secure' : '';
  const age = token === null ? 0 : Math.max(0, Math.floor((expiresAtMs - Date.now()) / 1000));
  return `${cookieName}=${encodeURIComponent(token ?? '')}; Path=/graphql; HttpOnly; SameSite=Strict; Max-Age=${age}${secure}`;
}

function contextOf(
  services: Services,
  request: IncomingMessage,
  given: {
    readonly caller: Caller | null;
    readonly token: string | null;
    readonly setRefreshCookie: GatewayContext['setRefreshCookie'];
  },
): GatewayContext {
  const inherited = parseTrace(String(request.headers[traceHeader] ?? ''));
  const trace = inherited === null ? newTrace() : childOf(inherited);
  const logger = services.logger.with({ traceId: trace.traceId, ...(given.caller && { userId: given.caller.userId }) });
  return {
    services,
    trace,
    logger,
    refreshToken: cookieOf(request),
    loaders: loadersOf(services, given.caller),
    ...given,
  };
}

/** What went wrong inside is told to the log, with the trace; the client learns the trace only. */
function masked(error: GraphQLError, context: GatewayContext | null): GraphQLError {
  const cause = error.originalError;
  if (cause === undefined || cause === null || cause instanceof GraphQLError) return error;
  context?.logger.error('resolver-failed', cause.message, { error: cause, path: error.path?.join('.') });
  const correlationId = context?.trace.traceId;
  const message = 'Something went wrong in the shop, not in what you sent; it is in the log. Try again.';
  return new GraphQLError(message, {
    ...(error.path && { path: error.path }),
    ...(error.nodes && { nodes: error.nodes }),
    extensions: { code: 'INTERNAL', correlationId },
  });
}

const limits: Plugin<GatewayContext> = {
  onExecute({ args, setResultAndStopExecution }) {
    const error = exceeds(schema, args.document, args.variableValues ?? {}, args.operationName);
    if (error !== null) setResultAndStopExecution({ errors: [error] });
  },
  onSubscribe({ args, setResultAndStopExecution }) {
    const error = exceeds(schema, args.document, args.variableValues ?? {}, args.operationName);
    if (error !== null) setResultAndStopExecution({ errors: [error] });
  },
};

/** Page, covers and API behind one origin; GraphQL over HTTP, server-sent events and WebSocket. */
export function createGateway(services: Services): { readonly server: Server; readonly close: () => Promise<void> } {
  const yoga = createYoga<ServerContext, GatewayContext>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    logging: false,
    batching: false,
    cors: false,
    plugins: [limits],
    renderGraphiQL,
    graphiql: {
      title: 'Bookstream API',
      defaultQuery:
        '{\n  books(first: 5) {\n    edges { node { title authors price { amount currency } availability { available } } }\n  }\n}\n',
      subscriptionsProtocol: 'WS',
    },
    maskedErrors: {
      maskError: (error) =>
        error instanceof GraphQLError
          ? masked(error, null)
          : new GraphQLError('Something went wrong in the shop.', { extensions: { code: 'INTERNAL' } }),
    },
    context: async ({ req, res }) => {
      const token = bearer(req.headers.authorization);
      const caller = token === null ? null : await services.users.verify(token);
      const setRefreshCookie: GatewayContext['setRefreshCookie'] = (refresh, expiresAtMs) =>
        void res.appendHeader('set-cookie', refreshCookie(req, refresh, expiresAtMs));
      const context = contextOf(services, req, { caller, token, setRefreshCookie });
      res.setHeader('x-correlation-id', context.trace.traceId);
      return context;
    },
  });

  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://gateway').pathname;
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    if (path === '/graphql') {
      if (Number(request.headers['content-length'] ?? 0) > mostBodyBytes) {
        response.writeHead(413, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify({
            errors: [
              {
                message: `The request is larger than ${mostBodyBytes} bytes; nothing was done.`,
                extensions: { code: 'TOO_LARGE' },
              },
            ],
          }),
        );
        return;
      }
      void yoga(request, response, { req: request, res: response }); // it answers its own errors
    } else if (path.startsWith('/covers/')) {
      serveCover(services.postgres, response, path).catch((error: unknown) => {
        services.logger.error('cover-failed', String(error));
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    } else servePage(request, response, decodeURIComponent(path));
  });
  const closeSockets = acceptSockets(server, services);
  return {
    server,
    close: async () => {
      closeSockets();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        setTimeout(() => server.closeAllConnections(), 2_000).unref();
      });
      await yoga.dispose();
    },
  };
}

interface Extra {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  caller: Caller | null;
  token: string | null;
}

/** graphql-ws by hand: a socket belongs to one token and ends with it, so that the client comes back with a fresh one. */
function acceptSockets(server: Server, services: Services): () => void {
  const sockets = new WebSocketServer({ server, path: '/graphql', handleProtocols, maxPayload: mostBodyBytes });
  const protocol = makeServer<Record<string, unknown>, Extra>({
    onConnect: async ({ connectionParams, extra }) => {
      const token = bearer(connectionParams?.authorization);
      extra.token = token;
      extra.caller = token === null ? null : await services.users.verify(token);
      if (token !== null && extra.caller === null) {
        extra.socket.close(tokenEnded, 'the access token has ended');
        return false;
      }
      if (extra.caller !== null) {
        const left = extra.caller.expiresAtMs - Date.now();
        const timer = setTimeout(() => extra.socket.close(tokenEnded, 'the access token has ended'), Math.max(0, left));
        extra.socket.once('close', () => clearTimeout(timer));
      }
      return true;
    },
    onSubscribe: ({ extra }, _id, payload) => {
      const context = contextOf(services, extra.request, {
        caller: extra.caller,
        token: extra.token,
        setRefreshCookie: () => {},
      });
      let document: ReturnType<typeof parse>;
      try {
        document = parse(payload.query);
      } catch (error) {
        return [error instanceof GraphQLError ? error : unauthenticated()];
      }
      const wrong = validate(schema, document);
      if (wrong.length > 0) return wrong;
      const over = exceeds(schema, document, payload.variables ?? {}, payload.operationName);
      if (over !== null) return [over];
      return {
        schema,
        document,
        contextValue: context,
        variableValues: payload.variables,
        operationName: payload.operationName,
      } as ExecutionArgs; // null and undefined are one to it
    },
    execute: (args) => execute(args as ExecutionArgs),
    subscribe: (args) => subscribe(args as ExecutionArgs),
    onNext: (_context, _id, _payload, args, { errors, ...rest }) =>
      ({
        ...rest,
        ...(errors && { errors: errors.map((error) => masked(error, args.contextValue as GatewayContext).toJSON()) }),
      }) as FormattedExecutionResult<Record<string, unknown>>, // execution has made it so
    onError: (_context, _id, _payload, errors) => errors.map((error) => masked(error, null).toJSON()),
  });
  const alive = new WeakSet<WebSocket>();
  sockets.on('connection', (socket, request) => {
    alive.add(socket);
    socket.on('pong', () => alive.add(socket));
    const extra: Extra = { socket, request, caller: null, token: null };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) =>
          new Promise((resolve, reject) => socket.send(data, (error) => (error ? reject(error) : resolve()))),
        close: (code: CloseCode | number, reason) => socket.close(code, reason),
        onMessage: (take) =>
          socket.on('message', async (data) => {
            try {
              await take(String(data));
            } catch (error) {
              services.logger.warn('socket-failed', String(error));
              socket.close(4500, 'Internal error');
            }
          }),
      },
      extra,
    );
    socket.once('close', (code, reason) => closed(code, String(reason)));
  });
  const heartbeat = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!alive.has(socket)) socket.terminate();
      alive.delete(socket);
      socket.ping();
    }
  }, 15_000);
  return () => {
    clearInterval(heartbeat);
    for (const socket of sockets.clients) socket.close(restarting, 'the gateway restarts');
    sockets.close();
  };
}
