/**
 * The only file that reaches into kafkajs, and only into 2.2.4, whose internals were tried on a broker. It takes from kafkajs what
 * kafkajs does well (sockets, TLS, SASL, version negotiation, group membership) and adds what it lacks: requests of our own on its
 * connections, static membership, an awaited hook before a rejoin, a consumer that only holds its place in the group.
 */
import { createRequire } from 'node:module';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { KafkaConfig, SASLOptions } from 'kafkajs';
import type { Decompressors } from './decompression.ts';
import { AuthenticationError, BrokerConnectionError, BrokerSilentError, SeamVersionError } from './errors.ts';
import { type Api, type Connection, Link } from './link.ts';

export interface ConnectionConfig {
  /** host:port of some of the brokers. */
  readonly bootstrapServers: readonly string[];
  readonly clientId: string;
  readonly ssl?: ConnectionOptions;
  readonly sasl?: SASLOptions;
  /** Default 3000. */
  readonly connectionTimeoutMs?: number;
  /** For topics that other clients have packed by snappy or lz4; gzip and zstd need nothing. */
  readonly decompress?: Decompressors;
  /** What kafkajs itself has to say, one line each. */
  readonly log?: (level: 'error' | 'warn' | 'info', message: string) => void;
}

interface InternalConnection {
  readonly socket: Socket;
  readonly sasl: unknown;
  readonly clientId: string;
  readonly requestQueue: {
    push(request: {
      entry: {
        apiKey: number;
        apiName: string;
        apiVersion: number;
        correlationId: number;
        resolve: (answer: { payload: Buffer }) => void;
        reject: (error: Error) => void;
      };
      expectResponse: boolean;
      requestTimeout: number;
      sendRequest: () => void;
    }): void;
    rejectAll(error: Error): void;
  };
  authenticatedAt: [number, number] | null;
  /** A Long of ms; 0: without end. */
  readonly sessionLifetime: { toNumber(): number };
  isConnected(): boolean;
  isAuthenticated(): boolean;
  authenticate(): Promise<void>;
  nextCorrelationId(): number;
  disconnect(): Promise<unknown>;
}

interface InternalPool {
  readonly pool: readonly InternalConnection[];
  getConnection(index: number): Promise<InternalConnection>;
  destroy(): Promise<void>;
  send(request: unknown): Promise<unknown>;
}

interface InternalBroker {
  readonly connectionPool: InternalPool;
  connect(): Promise<void>;
  lookupRequest(apiKey: number, definition: unknown): (args: object) => object;
}

interface InternalCluster {
  findGroupCoordinator(args: object): Promise<InternalBroker>;
  refreshMetadataIfNecessary(): Promise<void>;
  connectionPoolBuilder: { build(destination: { host: string; port: number }): Promise<InternalPool> };
  brokerPool: { createBroker(options: object): InternalBroker };
}

interface InternalGroup {
  cluster: InternalCluster;
  readonly assigners: readonly object[];
  readonly groupId: string;
  generationId: number | null;
  memberId: string | null;
  leaderId: string | null;
  coordinator: { heartbeat(args: object): Promise<unknown> } | null;
  isLeader(): boolean;
  joinAndSync(): Promise<void>;
  fetch(nodeId: string): Promise<readonly unknown[]>;
  checkForStaleAssignment(): void;
  recoverFromFetch(error: unknown): Promise<void>;
}

interface Internals {
  readonly Kafka: new (config: KafkaConfig) => import('kafkajs').Kafka;
  readonly apiKeys: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, unknown>>;
}

export interface GroupMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
}

/** What a group member of ours adds to kafkajs's own consumer. Byte fields are the consumer protocol's, whole. */
export interface GroupHooks {
  readonly groupId: string;
  readonly groupInstanceId: string;
  readonly sessionTimeoutMs: number;
  readonly protocolName: string;
  metadata(): Buffer;
  /** Runs in the leader. */
  assign(members: readonly GroupMember[]): Promise<ReadonlyMap<string, Buffer>>;
  /** Awaited before every join but the first; heartbeats go on meanwhile. */
  beforeRejoin(): Promise<void>;
  joined(group: {
    readonly generationId: number;
    readonly memberId: string;
    readonly assignment: Buffer;
  }): Promise<void>;
  crashed(error: Error, restarts: boolean): void;
  /** The coordinator did not answer in time though its connection was up; it is asked on a new one. */
  silent(error: Error): void;
}

export interface GroupConsumer {
  /** Resolves after the first join, whose `joined` hook has been awaited. */
  start(topics: readonly string[]): Promise<void>;
  /** Leaves the consumer's loop and its connections; the place in the group stays until the session times out. */
  stop(): Promise<void>;
  /** Joins again soon, as if the group were rebalancing: the broker compares the metadata, and shares out anew where they have changed. */
  rejoin(): void;
}

const provenVersion = '2.2.4';
const heartbeatEveryMs = 500;

/** Hooks by the assigner object that kafkajs was given: the one thing of ours that every ConsumerGroup carries. */
const hooksOfAssigner = new WeakMap<object, GroupHooks>();
/** Wakes the idle wait of a group's consumer, so that a stop need not sit out a heartbeat. */
const wakers = new WeakMap<GroupHooks, Set<() => void>>();
/** Those that were asked to join again. */
const rejoining = new WeakSet<GroupHooks>();
const rawAssignments = new WeakMap<GroupHooks, Buffer>();
const joinedBefore = new WeakSet<GroupHooks>();

const hooksOf = (group: InternalGroup): GroupHooks | undefined => {
  const [assigner] = group.assigners;
  return assigner && hooksOfAssigner.get(assigner);
};

/** Fails a kafkajs connection as a lost one: who waits for it is told, and the next request opens a new one. */
const dropConnections = (pool: InternalPool, error: Error): void => {
  for (const connection of pool.pool) if (connection.isConnected()) connection.socket.destroy(error);
};

/**
 * A broker whose group requests carry the instance id (KIP-345): kafkajs has the fields and never fills them. And kafkajs asks again on the same
 * connection when an answer does not come, for ever; here that one is given up.
 */
const withInstanceId = (broker: InternalBroker, hooks: GroupHooks, internals: Internals): InternalBroker => {
  const { groupId, groupInstanceId } = hooks;
  const isSilent = (name: string, withinMs: number | null): void => {
    const time = withinMs === null ? 'in its time' : `within ${withinMs} ms`;
    const text = `the coordinator of ${groupId} has not answered ${name} ${time} though the connection was up; it is asked again on a new one`;
    const error = new BrokerSilentError(text);
    dropConnections(broker.connectionPool, error);
    hooks.silent(error);
  };
  const ask = (name: string, args: object): Promise<unknown> => {
    const apiKey = internals.apiKeys[name];
    if (apiKey === undefined) throw new SeamVersionError(`kafkajs ${provenVersion} knows no request ${name}`);
    return broker.connectionPool.send(
      broker.lookupRequest(apiKey, internals.requests[name])({ ...args, groupInstanceId }),
    );
  };
  const send = async (name: string, args: object): Promise<unknown> => {
    try {
      return await ask(name, args);
    } catch (error) {
      // A join may take as long as the slowest member; kafkajs knows how long that is.
      if (error instanceof Error && error.name === 'KafkaJSRequestTimeoutError') isSilent(name, null);
      throw error;
    }
  };
  const heartbeat = async (args: object): Promise<unknown> => {
    const withinMs = hooks.sessionTimeoutMs / 2;
    // What has come while this thread was busy is read before the second turn.
    const timer = setTimeout(() => setImmediate(() => setImmediate(late)), withinMs);
    let answered = false;
    const late = (): void => {
      if (!answered) isSilent('a heartbeat', withinMs);
    };
    try {
      return await send('Heartbeat', args);
    } finally {
      answered = true;
      clearTimeout(timer);
    }
  };
  return Object.assign(Object.create(broker), {
    joinGroup: (args: object) => send('JoinGroup', { ...args, protocolType: 'consumer' }),
    heartbeat,
    leaveGroup: async () => {}, // A restart keeps its place; who leaves for good sends LeaveGroup by itself.
    syncGroup: async (args: object) => {
      // The shape is kafkajs's own SyncGroup v3 answer.
      const answer = (await send('SyncGroup', args)) as { memberAssignment: Buffer };
      rawAssignments.set(hooks, Buffer.from(answer.memberAssignment));
      return answer;
    },
  });
};

/** Runs the hook under heartbeats: one that takes longer than the session time-out would cost the member its place. */
const revoke = async (group: InternalGroup, hooks: GroupHooks): Promise<void> => {
  const { coordinator, groupId, memberId, generationId } = group;
  const beat = setInterval(() => {
    if (memberId === null) return;
    // It answers REBALANCE_IN_PROGRESS, which is why we are here.
    coordinator?.heartbeat({ groupId, memberId, groupGenerationId: generationId }).catch(() => {});
  }, 1000);
  try {
    await hooks.beforeRejoin();
  } finally {
    clearInterval(beat);
  }
};

/** Of a session's time; KIP-368 has clients log in again between 85 and 95 % of it. */
const sessionUsed = 0.85;

/**
 * kafkajs logs in again 10 s before a session ends: with a session of 10 s or less that is before every request, and a broker refuses a second
 * login within a second of the first (KafkaChannel.MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS).
 */
const patchSession = (
  prototype: Pick<InternalConnection, 'authenticatedAt' | 'sessionLifetime' | 'isAuthenticated'>,
) => {
  prototype.isAuthenticated = function () {
    if (this.authenticatedAt === null) return false;
    const lifetimeMs = this.sessionLifetime.toNumber();
    if (lifetimeMs === 0) return true;
    const [seconds, nanoseconds] = process.hrtime(this.authenticatedAt);
    return seconds * 1000 + nanoseconds / 1e6 < lifetimeMs * sessionUsed;
  };
};

const patchGroup = (prototype: InternalGroup, internals: Internals): void => {
  const { joinAndSync, fetch } = prototype;
  const wrapped = new WeakSet<InternalCluster>();

  prototype.joinAndSync = async function (this: InternalGroup): Promise<void> {
    const hooks = hooksOf(this);
    if (!hooks) return joinAndSync.call(this);
    if (!wrapped.has(this.cluster)) {
      wrapped.add(this.cluster);
      const find = this.cluster.findGroupCoordinator.bind(this.cluster);
      this.cluster.findGroupCoordinator = async (args) => withInstanceId(await find(args), hooks, internals);
    }
    if (joinedBefore.has(hooks)) {
      joinedBefore.delete(hooks);
      await revoke(this, hooks);
    }
    await joinAndSync.call(this);
    const { generationId, memberId } = this;
    const assignment = rawAssignments.get(hooks);
    if (generationId === null || memberId === null || !assignment) return;
    joinedBefore.add(hooks);
    rejoining.delete(hooks); // what was asked for has just been done
    await hooks.joined({ generationId, memberId, assignment });
  };

  // Membership only: the runner calls this in a loop and heartbeats after each empty answer.
  prototype.fetch = async function (this: InternalGroup, nodeId: string): Promise<readonly unknown[]> {
    const hooks = hooksOf(this);
    if (!hooks) return fetch.call(this, nodeId);
    try {
      await this.cluster.refreshMetadataIfNecessary();
      this.checkForStaleAssignment();
      const waiting = wakers.get(hooks);
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          waiting?.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, heartbeatEveryMs);
        waiting?.add(wake);
      });
    } catch (error) {
      await this.recoverFromFetch(error);
    }
    // What a heartbeat would throw: kafkajs then joins again.
    if (rejoining.delete(hooks))
      throw Object.assign(new Error('asked to join again'), { type: 'REBALANCE_IN_PROGRESS' });
    return [];
  };
};

/** kafkajs reschedules this timer for ever, each millisecond, on every connection that was used once: 1,000 wake-ups a second each. */
const patchIdleTimer = (prototype: {
  scheduleCheckPendingRequests(): void;
  checkPendingRequests(): void;
  pending: readonly unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
}): void => {
  prototype.scheduleCheckPendingRequests = function () {
    if (this.throttleCheckTimeoutId || this.pending.length === 0) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      Math.max(this.throttledUntil - Date.now(), 10),
    );
  };
};

let loaded: Internals | null = null;

/** @throws SeamVersionError – another kafkajs is installed */
const internals = (): Internals => {
  if (loaded) return loaded;
  const require = createRequire(import.meta.url);
  // kafkajs ships no types for its internals: the shapes above are what this file uses of them.
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== provenVersion) {
    throw new SeamVersionError(
      `kafkajs ${version} is installed, but the seam is proven on ${provenVersion} only; nothing was started. Pin kafkajs to ${provenVersion}.`,
    );
  }
  const ConsumerGroup = require('kafkajs/src/consumer/consumerGroup.js') as { prototype: InternalGroup };
  const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as {
    prototype: Parameters<typeof patchIdleTimer>[0];
  };
  const Connection = require('kafkajs/src/network/connection.js') as { prototype: InternalConnection };
  const { Kafka } = require('kafkajs') as Pick<Internals, 'Kafka'>;
  const apiKeys = require('kafkajs/src/protocol/requests/apiKeys.js') as Internals['apiKeys'];
  const { requests } = require('kafkajs/src/protocol/requests/index.js') as Pick<Internals, 'requests'>;
  loaded = { Kafka, apiKeys, requests };
  patchGroup(ConsumerGroup.prototype, loaded);
  patchIdleTimer(RequestQueue.prototype);
  patchSession(Connection.prototype);
  return loaded;
};

const connectionTimeoutOf = (config: ConnectionConfig): number => config.connectionTimeoutMs ?? 3000;

const kafkaOf = (config: ConnectionConfig, enforceRequestTimeout: boolean): import('kafkajs').Kafka => {
  const { Kafka } = internals();
  const { log } = config;
  return new Kafka({
    brokers: [...config.bootstrapServers],
    clientId: config.clientId,
    connectionTimeout: connectionTimeoutOf(config),
    // Ours have timers of their own; kafkajs's checks each connection ten times a second.
    enforceRequestTimeout,
    retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 10 },
    logLevel: log ? 4 : 0,
    logCreator:
      () =>
      ({ level, log: entry }) =>
        log?.(level <= 1 ? 'error' : level <= 2 ? 'warn' : 'info', `${entry.message}`),
    ...(config.ssl && { ssl: config.ssl }),
    // kafkajs keeps a field of its own on this object. The given one stays behind it, so that a getter may bring a new secret.
    ...(config.sasl && { sasl: Object.create(config.sasl) }),
    socketFactory: ({ host, port, ssl, onConnect }) => {
      const socket = ssl
        ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
        : connectPlain({ host, port }, onConnect);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 60_000);
      return socket;
    },
  });
};

const clusterOf = (kafka: object): InternalCluster => {
  const symbol = Object.getOwnPropertySymbols(kafka).find((one) => one.description === 'private:Kafka:createCluster');
  if (!symbol) throw new SeamVersionError('kafkajs has no private:Kafka:createCluster any more');
  // Proven for 2.2.4, which internals() has checked.
  return (kafka as Record<symbol, (options: object) => InternalCluster>)[symbol]?.({
    metadataMaxAge: 300_000,
  }) as InternalCluster;
};

/** Three steps may each take as long as a connection may: the socket with its TLS, the question for versions, the login. */
const openingSteps = 3;

/** A kafkajs connection as a link uses it: past kafkajs's own `send`, which copies, so what that does for logins and throttling is the link's. */
class KafkajsConnection implements Connection {
  readonly #connection: InternalConnection;
  readonly #pool: InternalPool;
  readonly #loginFailed: (cause: unknown) => Error;

  constructor(connection: InternalConnection, pool: InternalPool, loginFailed: (cause: unknown) => Error) {
    this.#connection = connection;
    this.#pool = pool;
    this.#loginFailed = loginFailed;
  }

  get connected(): boolean {
    return this.#connection.isConnected();
  }

  get loginDue(): boolean {
    return Boolean(this.#connection.sasl) && !this.#connection.isAuthenticated();
  }

  async login(): Promise<void> {
    try {
      await this.#connection.authenticate();
    } catch (cause) {
      throw this.#loginFailed(cause);
    }
  }

  request(
    api: Api,
    body: readonly Uint8Array[],
    resolve: (payload: Buffer) => void,
    reject: (error: Error) => void,
  ): void {
    const connection = this.#connection;
    const correlationId = connection.nextCorrelationId();
    connection.requestQueue.push({
      entry: {
        apiKey: api.key,
        apiName: api.name,
        apiVersion: api.version,
        correlationId,
        // A flexible answer's header ends with a tag section, always empty.
        resolve: ({ payload }) => resolve(api.flexible ? payload.subarray(1) : payload),
        reject,
      },
      expectResponse: true,
      requestTimeout: 0,
      sendRequest: () => {
        const { socket } = connection;
        socket.cork();
        socket.write(requestHeader(api, correlationId, connection.clientId, body));
        for (const part of body) socket.write(part);
        socket.uncork();
      },
    });
  }

  destroy(): void {
    this.#connection.requestQueue.rejectAll(new Error('the connection was closed'));
    this.#connection.socket?.destroy();
    this.#pool.destroy().catch(() => {}); // It is closed either way.
  }
}

const requestHeader = (api: Api, correlationId: number, clientId: string, body: readonly Uint8Array[]): Buffer => {
  const id = Buffer.from(clientId, 'utf8');
  const length = 10 + id.length + (api.flexible ? 1 : 0);
  const header = Buffer.allocUnsafe(4 + length);
  header.writeInt32BE(
    body.reduce((sum, part) => sum + part.length, length),
    0,
  );
  header.writeInt16BE(api.key, 4);
  header.writeInt16BE(api.version, 6);
  header.writeInt32BE(correlationId, 8);
  header.writeInt16BE(id.length, 12);
  id.copy(header, 14);
  if (api.flexible) header[header.length - 1] = 0;
  return header;
};

/**
 * Opens links: each a kafkajs connection (TLS, SASL, versions) of its own.
 * The function throws AuthenticationError when the broker refuses the login, BrokerConnectionError for anything else.
 */
export const linkOpener = (config: ConnectionConfig): ((host: string, port: number) => Promise<Link>) => {
  const kafka = kafkaOf(config, false);
  const cluster = clusterOf(kafka);
  const withinMs = openingSteps * connectionTimeoutOf(config);
  return async (host, port) => {
    const connectionPool = await cluster.connectionPoolBuilder.build({ host, port });
    const broker = cluster.brokerPool.createBroker({ connectionPool, logger: kafka.logger() });
    const failed = (cause: unknown): Error => connectionFailure(config, `${host}:${port}`, cause);
    const hung = Promise.withResolvers<never>();
    const timer = setTimeout(() => hung.reject(new Error(`it said nothing for ${withinMs} ms`)), withinMs);
    try {
      await Promise.race([broker.connect(), hung.promise]);
      const connection = await connectionPool.getConnection(0);
      return new Link(new KafkajsConnection(connection, connectionPool, failed));
    } catch (cause) {
      for (const { requestQueue, socket } of connectionPool.pool) {
        requestQueue.rejectAll(new Error('the connection was given up'));
        socket?.destroy();
      }
      connectionPool.destroy().catch(() => {}); // The first error is the one to report.
      throw failed(cause);
    } finally {
      clearTimeout(timer);
    }
  };
};

const connectionFailure = ({ sasl }: ConnectionConfig, server: string, cause: unknown): Error => {
  const why = cause instanceof Error ? cause.message : String(cause);
  if (!sasl || !(cause instanceof Error) || cause.name !== 'KafkaJSSASLAuthenticationError')
    return new BrokerConnectionError(`No connection to the broker at ${server}: ${why}`, { cause });
  const who = 'username' in sasl ? ` of ${sasl.username}` : '';
  return new AuthenticationError(
    `The broker at ${server} refused the login${who}: ${why}; nothing was sent. Check the user name and the secret in \`sasl\`, and that the ` +
      `brokers know this user with ${sasl.mechanism.toUpperCase()} (kafka-configs.sh --describe --entity-type users).`,
    { cause },
  );
};

/** A kafkajs consumer that holds a static member's place and never fetches. */
export const groupConsumer = (
  config: ConnectionConfig,
  hooks: GroupHooks,
  timeouts: { readonly rebalanceTimeoutMs: number },
): GroupConsumer => {
  const waiting = new Set<() => void>();
  wakers.set(hooks, waiting);
  const consumer = kafkaOf(config, true).consumer({
    groupId: hooks.groupId,
    sessionTimeout: hooks.sessionTimeoutMs,
    rebalanceTimeout: timeouts.rebalanceTimeoutMs,
    // A little below the wait of the idle loop, else every second beat would be skipped.
    heartbeatInterval: heartbeatEveryMs * 0.8,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 10 },
    partitionAssigners: [
      () => {
        const assigner = {
          name: hooks.protocolName,
          version: 1,
          protocol: () => ({ name: hooks.protocolName, metadata: hooks.metadata() }),
          assign: async ({
            members,
          }: {
            members: { memberId: string; memberMetadata: Buffer; groupInstanceId?: string }[];
          }) => {
            const shares = await hooks.assign(
              members.map((member) => ({
                memberId: member.memberId,
                groupInstanceId: member.groupInstanceId ?? null,
                metadata: member.memberMetadata,
              })),
            );
            return members.map(({ memberId }) => ({
              memberId,
              memberAssignment: shares.get(memberId) ?? Buffer.alloc(0),
            }));
          },
        };
        hooksOfAssigner.set(assigner, hooks);
        return assigner;
      },
    ],
  });
  consumer.on('consumer.crash', ({ payload }) => hooks.crashed(payload.error, payload.restart));
  const wakeUp = (): void => {
    for (const wake of waiting) wake();
  };
  return {
    start: async (topics) => {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics] });
      await consumer.run({ autoCommit: false, eachBatch: async () => {} });
    },
    stop: async () => {
      const stopped = consumer.disconnect();
      wakeUp();
      await stopped;
    },
    rejoin: () => {
      rejoining.add(hooks);
      wakeUp();
    },
  };
};
