import { AuthenticationError, BrokerConnectionError, SeamVersionError } from '../errors.ts';
import { type Api, type Connection, Link } from '../link.ts';
import type { InternalCluster, InternalConnection, InternalPool } from './internals.ts';
import { type ConnectionConfig, connectionTimeoutOf, kafkaOf } from './patched-kafkajs.ts';

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
