/*
 * This folder alone reaches into kafkajs, and only into 2.2.4, whose internals were tried on a broker. It takes from kafkajs what
 * kafkajs does well (sockets, TLS, SASL, version negotiation, group membership) and adds what it lacks: requests of our own on its
 * connections (`link-opener.ts`), static membership and an awaited hook before a rejoin (`static-membership.ts`), a consumer that only
 * holds its place in the group (`group-consumer.ts`).
 */
import type { Socket } from 'node:net';
import type { KafkaConfig } from 'kafkajs';

export const provenVersion = '2.2.4';

// kafkajs ships no types for its internals: these shapes are what this folder uses of them.

export interface InternalConnection {
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

export interface InternalPool {
  readonly pool: readonly InternalConnection[];
  getConnection(index: number): Promise<InternalConnection>;
  destroy(): Promise<void>;
  send(request: unknown): Promise<unknown>;
}

export interface InternalBroker {
  readonly connectionPool: InternalPool;
  connect(): Promise<void>;
  lookupRequest(apiKey: number, definition: unknown): (args: object) => object;
}

export interface InternalCluster {
  findGroupCoordinator(args: object): Promise<InternalBroker>;
  refreshMetadataIfNecessary(): Promise<void>;
  connectionPoolBuilder: { build(destination: { host: string; port: number }): Promise<InternalPool> };
  brokerPool: { createBroker(options: object): InternalBroker };
}

export interface InternalGroup {
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

export interface Internals {
  readonly Kafka: new (config: KafkaConfig) => import('kafkajs').Kafka;
  readonly apiKeys: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, unknown>>;
}
