import { createRequire } from 'node:module';
import { connect as connectPlain, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import type { Decompressors } from '../decompression.ts';
import { SeamVersionError } from '../errors.ts';
import { type InternalConnection, type InternalGroup, type Internals, provenVersion } from './internals.ts';
import { patchGroup } from './static-membership.ts';

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

/** Loads kafkajs and patches it, once a process. @throws SeamVersionError – another kafkajs is installed */
const internals = (): Internals => {
  if (loaded) return loaded;
  const require = createRequire(import.meta.url);
  // kafkajs ships no types for its internals: those of `internals.ts` are taken on trust, for this version alone.
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

export const connectionTimeoutOf = (config: ConnectionConfig): number => config.connectionTimeoutMs ?? 3000;

export const kafkaOf = (config: ConnectionConfig, enforceRequestTimeout: boolean): import('kafkajs').Kafka => {
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
