import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reachableHost } from '../platform/config.ts';
import { endPool } from '../platform/end-pool.ts';
import { OutboxRelay } from '../platform/outbox.ts';
import { runProcess } from '../platform/run-process.ts';
import { migrate } from './database.ts';
import { usersApi } from './http.ts';
import { openAccounts } from './open.ts';

/** Accounts, logins and tokens, over a database of its own; what changes there is told on users.events. */
export const main = (): Promise<void> =>
  runProcess('users', async ({ config, logger, tracing, shutdown }) => {
    await migrate(config.usersPostgresUrl);
    const { pool, accounts, tokens } = await openAccounts(config.usersPostgresUrl);
    shutdown.add('users database', () => endPool(pool));
    pool.on('error', (error) => logger.error('database-lost', `a connection broke: ${error.message}`, { error }));

    const relay = new OutboxRelay({
      pool,
      kafkaUrl: config.kafkaUrl,
      transactionalId: 'bookstream-users/outbox-relay',
      logger,
    });
    relay.start();
    shutdown.add('outbox', () => relay.close());

    const server = createServer(
      usersApi({
        accounts,
        tokens,
        tracing,
        onFault: (error, correlationId) => {
          const fault = error instanceof Error ? error : new Error(String(error));
          logger.error('request-failed', fault.message, { error: fault, correlationId });
        },
      }),
    );
    const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(0, config.host, resolve);
    await listening;
    shutdown.add('http', () => new Promise<void>((closed) => void server.close(() => closed()).closeAllConnections()));
    const { port } = server.address() as AddressInfo; // a TCP server's address
    return { url: `http://${reachableHost(config.host)}:${port}` };
  });

if (import.meta.main) await main();
