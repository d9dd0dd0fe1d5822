import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { GraphQLError, parse } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { GatewayContext, Services } from './context.ts';
import { serveCover } from './covers.ts';
import { maxTokens, refusals } from './limits.ts';
import { measuring } from './measuring.ts';
import { Page, securityHeaders } from './page.ts';
import { bearer, contextOf, masked, refreshCookie } from './requests.ts';
import { schema } from './schema.ts';
import { acceptSockets } from './sockets.ts';

const mostBodyBytes = 256 * 1024;

interface ServerContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

const builtPage = join(import.meta.dirname, '..', '..', 'web', 'build');

/** Page, covers and API behind one origin; GraphQL over HTTP, server-sent events and WebSocket. */
export function createGateway(
  services: Services,
  pageFolder = builtPage,
): { readonly server: Server; readonly close: () => Promise<void> } {
  const page = new Page(pageFolder);
  const yoga = createYoga<ServerContext, GatewayContext>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    logging: false,
    batching: false,
    multipart: false,
    cors: false,
    plugins: [measuring(services), limits, masking],
    renderGraphiQL,
    graphiql: {
      title: 'Bookstream API',
      defaultQuery:
        '{\n  books(first: 5) {\n    edges { node { title authors price { amount currency } availability { available } } }\n  }\n}\n',
      subscriptionsProtocol: 'WS',
    },
    // What breaks in a resolver is masked by the plugin, with its trace; this is for what breaks before there is a context.
    maskedErrors: {
      maskError: (error) => {
        if (error instanceof GraphQLError && (!error.originalError || error.originalError instanceof GraphQLError))
          return error;
        const fault = error instanceof Error ? error : new Error(String(error));
        services.logger.error('request-failed', fault.message, { error: fault });
        return new GraphQLError(
          'Something went wrong in the shop, not in what you sent; it is in the log. Try again.',
          {
            extensions: { code: 'INTERNAL' },
          },
        );
      },
    },
    context: async ({ req, res }) => {
      const token = bearer(req.headers.authorization);
      const caller = token === null ? null : await services.users.verify(token);
      const setRefreshCookie: GatewayContext['setRefreshCookie'] = (refresh, expiresAtMs) =>
        void res.setHeader('set-cookie', refreshCookie(req, refresh, expiresAtMs));
      const context = contextOf(services, req, { caller, token, setRefreshCookie });
      res.setHeader('x-correlation-id', context.trace.traceId);
      return context;
    },
  });

  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    const path = pathOf(request);
    if (path === null) refuse(response, 400, 'BAD_REQUEST', 'This is no address of the shop.');
    else if (path === '/graphql') {
      const wrong = wrongWith(request);
      if (wrong !== null) refuse(response, ...wrong);
      else void yoga(request, response, { req: request, res: response }); // it answers its own errors
    } else {
      const served = path.startsWith('/covers/')
        ? serveCover(services.postgres, response, path)
        : page.serve(request, response, path);
      served.catch((error: unknown) => {
        const fault = error instanceof Error ? error : new Error(String(error));
        services.logger.error('page-failed', fault.message, { error: fault, path });
        if (!response.headersSent) response.writeHead(503);
        response.end();
      });
    }
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

const limits: Plugin<GatewayContext> = {
  onParse({ setParseFn }) {
    setParseFn((source: string, options?: Parameters<typeof parse>[1]) => parse(source, { ...options, maxTokens }));
  },
  onExecute({ args, setResultAndStopExecution }) {
    const errors = refusals(schema, args.document, args.variableValues ?? {}, args.operationName);
    if (errors.length > 0) setResultAndStopExecution({ errors });
  },
  onSubscribe({ args, setResultAndStopExecution }) {
    const errors = refusals(schema, args.document, args.variableValues ?? {}, args.operationName);
    if (errors.length > 0) setResultAndStopExecution({ errors });
  },
};

const masking: Plugin<GatewayContext> = {
  onExecute: ({ args }) => ({
    onExecuteDone({ result, setResult }) {
      if (!('errors' in result) || result.errors === undefined) return;
      const context = args.contextValue as unknown as GatewayContext; // what `context` above made
      setResult({ ...result, errors: result.errors.map((error) => masked(error, context)) });
    },
  }),
};

/** The path with its escapes undone; null for one that cannot be read. */
function pathOf({ url }: IncomingMessage): string | null {
  try {
    return decodeURIComponent((url ?? '/').split('?')[0] ?? '/');
  } catch {
    return null;
  }
}

/** JSON only: a form of another site can send text or a form, but not JSON without being asked for leave first. */
function wrongWith({ method, headers }: IncomingMessage): [status: number, code: string, message: string] | null {
  if (method !== 'POST') return null;
  if (!/^application\/json\b/i.test(headers['content-type'] ?? ''))
    return [415, 'UNSUPPORTED_MEDIA_TYPE', 'Send JSON, as `content-type: application/json`; nothing was done.'];
  if (headers['content-length'] === undefined)
    return [411, 'LENGTH_REQUIRED', 'Say how long the request is (content-length); nothing was done.'];
  if (Number(headers['content-length']) > mostBodyBytes)
    return [413, 'TOO_LARGE', `A request has at most ${mostBodyBytes} bytes; nothing was done.`];
  return null;
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ errors: [{ message, extensions: { code } }] }));
}
