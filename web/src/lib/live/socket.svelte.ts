import { print } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { kindOf } from '#lib/api/errors.ts';
import type { TadaDocumentNode } from '#lib/api/graphql.ts';
import { backOffMs } from '#lib/live/back-off.ts';
import type { Item, Source } from '#lib/live/feed.ts';
import type { ConnectionFacts } from '#lib/live/liveness.ts';
import { session } from '#lib/session.svelte.ts';

const pingEveryMs = 10_000;
const pongWithinMs = 5_000;
const accessTokenEnded = 4403;

let phase = $state<ConnectionFacts['phase']>('idle');
let sinceMs = $state(Date.now());
let nextTryMs = $state<number | null>(null);
let heardMs = $state<number | null>(null);
let pingSentMs = $state<number | null>(null);
let online = $state(navigator.onLine);
let wake: () => void = () => undefined;
let pongTimer: ReturnType<typeof setTimeout> | undefined;
let stoodBefore = false;
const reconnected = new Set<() => void>();

function enter(next: ConnectionFacts['phase']): void {
  if (phase !== next) sinceMs = Date.now();
  phase = next;
  if (next !== 'open') {
    clearTimeout(pongTimer);
    pingSentMs = null;
  }
}

/** Full-jitter wait that ends at once when the network or the reader comes back. */
const retryWait = (retries: number): Promise<void> =>
  new Promise((resolve) => {
    const ms = backOffMs(retries);
    nextTryMs = Date.now() + ms;
    enter('waiting');
    const timer = setTimeout(() => wake(), ms);
    wake = () => {
      clearTimeout(timer);
      nextTryMs = null;
      resolve();
    };
  });

const make = (): Client =>
  createClient({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
    lazy: true,
    lazyCloseTimeout: 3_000,
    keepAlive: pingEveryMs,
    connectionAckWaitTimeout: 5_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait,
    connectionParams: async () => {
      // A token that cannot be had now must not end the client: the server refuses the empty one, and the feed asks again later.
      const token = await session.token().catch(() => null);
      return token === null ? {} : { authorization: `Bearer ${token}` };
    },
    on: {
      connecting: () => enter('connecting'),
      connected: () => {
        heardMs = Date.now();
        enter('open');
        if (stoodBefore) for (const listener of reconnected) listener();
        stoodBefore = true;
      },
      message: () => {
        heardMs = Date.now();
      },
      ping: (received) => {
        if (received) return;
        pingSentMs = Date.now();
        pongTimer = setTimeout(() => client.terminate(), pongWithinMs);
      },
      pong: (received) => {
        if (!received) return;
        clearTimeout(pongTimer);
        pingSentMs = null;
      },
      closed: (event) => {
        const code = typeof event === 'object' && event !== null && 'code' in event ? event.code : undefined;
        if (code === accessTokenEnded) session.expire();
        enter(code === 1000 ? 'idle' : 'waiting');
      },
    },
  });

let client = make();

addEventListener('online', () => {
  online = true;
  wake();
});
addEventListener('offline', () => {
  online = false;
});
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') wake();
});

/** The page's one live connection, opened with the first feed and closed a while after the last. */
export const socket = {
  get facts(): ConnectionFacts {
    return { phase, sinceMs, nextTryMs, heardMs, pingSentMs, online };
  },
  /** Tries at once instead of waiting on. */
  retry(): void {
    wake();
  },
  /** Another person uses the page: the old one's connection must not serve them. */
  restart(): void {
    const old = client;
    client = make();
    stoodBefore = false;
    void old.dispose();
  },
};

const codeOf = (error: object): string => {
  const extensions = 'extensions' in error ? error.extensions : null;
  const code = typeof extensions === 'object' && extensions !== null && 'code' in extensions ? extensions.code : null;
  return typeof code === 'string' ? code : 'UNKNOWN';
};

/**
 * A feed's source: one subscription of the API.
 * @param read takes the feed's item out of the operation's result
 */
export function subscription<R, V extends Record<string, unknown>, T extends Item>(
  document: TadaDocumentNode<R, V & { after?: string | null }>,
  variables: V,
  read: (result: R) => T,
): Source<T> {
  const query = print(document);
  return {
    subscribe: (after, sink) =>
      client.subscribe<R>(
        {
          query,
          // Read anew at each reconnect, for graphql-ws sends the same payload object again: so it resumes behind the last item.
          get variables() {
            return { ...variables, after: after() };
          },
        },
        {
          next: (result) => {
            const [error] = result.errors ?? [];
            if (error !== undefined) {
              sink.error({ cause: new Error(error.message), fatal: false, staleCursor: false });
            } else if (result.data) sink.next(read(result.data));
          },
          complete: sink.complete,
          error: (reason) => {
            if (!Array.isArray(reason)) {
              // A close that graphql-ws does not retry (4401, 4500, …): the token may be dead; the feed asks again with a fresh one.
              session.expire();
              sink.error({
                cause: reason instanceof Error ? reason : new Error('The connection was closed.'),
                fatal: false,
                staleCursor: false,
              });
              return;
            }
            const [first] = reason;
            const code = codeOf(first ?? {});
            const kind = kindOf(code);
            if (kind === 'unauthenticated') session.expire();
            sink.error({
              cause: new Error(first?.message ?? 'The server refused the feed.'),
              fatal: kind === 'forbidden' || kind === 'not-found' || kind === 'refused',
              staleCursor: kind === 'refused' && code.includes('CURSOR'),
            });
          },
        },
      ),
    onReconnect: (listener) => {
      reconnected.add(listener);
      return () => reconnected.delete(listener);
    },
  };
}
