import type { IncomingMessage, Server } from 'node:http';
import { type ExecutionArgs, type ExecutionResult, execute, GraphQLError, parse, subscribe, validate } from 'graphql';
import { type CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Caller } from './access.ts';
import type { GatewayContext, Services } from './context.ts';
import { maxTokens, refusals } from './limits.ts';
import { type Asked, askedOf } from './operations.ts';
import { bearer, contextOf, isOwnOrigin, masked } from './requests.ts';
import { schema } from './schema.ts';

/** A graphql-ws client takes 4403 and 1012 as a reason to come back, 4429 as one to stay away. */
const tokenEnded = 4403;
const restarting = 1012;
const tooMany = 4429;

const mostMessageBytes = 64 * 1024;
const mostSocketsEach = 30;
const mostOperationsEach = 50;
const heartbeatMs = 15_000;

interface Extra {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  caller: Caller | null;
  token: string | null;
}

/** Sockets by who opened them: a user, else an address. */
class Counts {
  readonly #open = new Map<string, number>();

  /** @returns false when there are too many already */
  take(name: string): boolean {
    const count = this.#open.get(name) ?? 0;
    if (count >= mostSocketsEach) return false;
    this.#open.set(name, count + 1);
    return true;
  }

  give(name: string): void {
    const left = (this.#open.get(name) ?? 1) - 1;
    if (left === 0) this.#open.delete(name);
    else this.#open.set(name, left);
  }
}

/** Measures an answer, and hands it on. */
function answered<R extends ExecutionResult | AsyncIterable<ExecutionResult>>(
  { contextValue }: { readonly contextValue?: unknown },
  result: R,
) {
  const { operation } = contextValue as GatewayContext; // what onSubscribe made
  if (Symbol.asyncIterator in result) return operation.feeds(result);
  operation.answered(result.errors);
  return result;
}

/**
 * graphql-ws by hand: a socket belongs to one token and ends with it (4403), so that the client comes back with a fresh one and resumes by
 * its cursors. The next item of a feed is asked for when the one before it has left, so a slow reader waits in its own feed's queue.
 * @returns what ends them all, with 1012
 */
export function acceptSockets(server: Server, services: Services): () => void {
  const sockets = new WebSocketServer({
    server,
    path: '/graphql',
    handleProtocols,
    maxPayload: mostMessageBytes,
    verifyClient: ({ req }: { req: IncomingMessage }) => isOwnOrigin(req),
  });
  const counts = new Counts();
  const operations = new WeakMap<WebSocket, number>();

  const protocol = makeServer<Record<string, unknown>, Extra>({
    onConnect: async ({ connectionParams, extra }) => {
      const { socket, request } = extra;
      const token = bearer(connectionParams?.authorization);
      const caller = token === null ? null : await services.users.verify(token);
      extra.token = token;
      extra.caller = caller;
      if (token !== null && caller === null) {
        socket.close(tokenEnded, 'the access token has ended');
        return false;
      }
      const name = caller?.userId ?? request.socket.remoteAddress ?? 'unknown';
      if (socket.readyState !== socket.OPEN) return false;
      if (!counts.take(name)) {
        socket.close(tooMany, `more than ${mostSocketsEach} sockets at once`);
        return false;
      }
      const left = caller === null ? null : Math.max(0, caller.expiresAtMs - Date.now());
      const timer =
        left === null ? undefined : setTimeout(() => socket.close(tokenEnded, 'the access token has ended'), left);
      socket.once('close', () => {
        clearTimeout(timer);
        counts.give(name);
      });
      return true;
    },
    onSubscribe: ({ extra }, _id, payload) => {
      const running = operations.get(extra.socket) ?? 0;
      if (running >= mostOperationsEach) {
        extra.socket.close(tooMany, `more than ${mostOperationsEach} operations at once`);
        return;
      }
      const refused = (errors: readonly GraphQLError[], asked?: Asked) => {
        services.operations.refused(errors, asked);
        return errors;
      };
      let document: ReturnType<typeof parse>;
      try {
        document = parse(payload.query, { maxTokens });
      } catch (error) {
        if (error instanceof GraphQLError) return refused([error]);
        throw error;
      }
      const asked = askedOf(schema, document, payload.operationName);
      const wrong = validate(schema, document);
      if (wrong.length > 0) return refused(wrong, asked);
      const over = refusals(schema, document, payload.variables ?? {}, payload.operationName);
      if (over.length > 0) return refused(over, asked);
      operations.set(extra.socket, running + 1);
      const { caller, token, request } = extra;
      const context = contextOf(services, request, { caller, token, setRefreshCookie: () => {} });
      context.operation.is(asked);
      return {
        schema,
        document,
        // A socket cannot set the cookie anew, so it must not use it up.
        contextValue: { ...context, refreshToken: null },
        variableValues: payload.variables,
        operationName: payload.operationName,
      } as ExecutionArgs; // null and undefined are one to it
    },
    onComplete: ({ extra }) => void operations.set(extra.socket, Math.max(0, (operations.get(extra.socket) ?? 1) - 1)),
    execute: async (args) => answered(args, await execute(args as ExecutionArgs)), // what onSubscribe made
    subscribe: async (args) => answered(args, await subscribe(args as ExecutionArgs)),
    onNext: (_context, _id, _payload, args, { data, errors }) => {
      if (errors === undefined) return;
      const context = args.contextValue as GatewayContext; // likewise
      return { ...(data !== undefined && { data }), errors: errors.map((error) => masked(error, context).toJSON()) };
    },
  });

  const alive = new WeakSet<WebSocket>();
  sockets.on('connection', (socket, request) => {
    alive.add(socket);
    socket.once('close', services.operations.socketOpened());
    socket.on('pong', () => alive.add(socket));
    socket.on('error', (error) => services.logger.debug('socket-broke', error.message)); // it closes next
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) =>
          new Promise((resolve, reject) => socket.send(data, (error) => (error ? reject(error) : resolve()))),
        close: (code: CloseCode | number, reason) => socket.close(code, reason),
        onMessage: (take) =>
          socket.on('message', (data) => {
            take(String(data)).catch((error: unknown) => {
              const fault = error instanceof Error ? error : new Error(String(error));
              if (socket.readyState !== socket.OPEN) return; // it left while it was being answered
              services.logger.warn('socket-failed', fault.message, { error: fault });
              socket.close(4500, 'Internal error');
            });
          }),
      },
      { socket, request, caller: null, token: null },
    );
    socket.once('close', (code, reason) => void closed(code, String(reason)));
  });

  const heartbeat = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!alive.has(socket)) socket.terminate();
      alive.delete(socket);
      socket.ping();
    }
  }, heartbeatMs);
  return () => {
    clearInterval(heartbeat);
    for (const socket of sockets.clients) socket.close(restarting, 'the gateway restarts');
    sockets.close();
  };
}
