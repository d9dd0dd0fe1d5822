import { connectKafka } from '@bookstream/streams/kafka/index';
import { MongoClient } from 'mongodb';
import { Pool } from 'pg';
import { reachableHost } from '../platform/config.ts';
import { runProcess } from '../platform/run-process.ts';
import { Commands } from './commands.ts';
import { Hub } from './hub.ts';
import { GatewayMetrics } from './metrics.ts';
import { Operations } from './operations.ts';
import { createGateway } from './server.ts';
import { UsersClient } from './users-client.ts';

/** The one door: page and API on one origin. It reads the read models, sends commands and hears their outcomes; it decides nothing. */
export const main = (): Promise<void> =>
  runProcess('gateway', async ({ config, logger, metrics, tracing, discovery, shutdown }) => {
    const postgres = new Pool({ connectionString: config.postgresUrl, max: 20, application_name: 'gateway' });
    postgres.on('error', (error) => logger.error('database-lost', `a connection broke: ${error.message}`, { error }));
    shutdown.add('postgres', () => postgres.end());
    const mongo = new MongoClient(config.mongoUrl, { serverSelectionTimeoutMS: 5_000 });
    await mongo.connect();
    shutdown.add('mongo', () => mongo.close());
    const kafka = await connectKafka({ bootstrapServers: config.kafkaUrl, clientId: `gateway-${config.instance}` });
    shutdown.add('kafka', () => kafka.close());
    const hub = new Hub(kafka, logger);
    await hub.start();
    shutdown.add('hub', () => hub.close());
    const commands = new Commands(kafka, hub);
    shutdown.add('commands', () => commands.close());

    const users = new UsersClient(discovery);
    const operations = new Operations(new GatewayMetrics(metrics), tracing);
    const gateway = createGateway({
      ...{ postgres, mongo: mongo.db(), kafka, hub },
      ...{ commands, users, discovery, operations, logger },
    });
    const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
    gateway.server.once('error', reject).listen(config.port, config.host, resolve);
    await listening;
    shutdown.add('http', () => gateway.close());
    return { url: `http://${reachableHost(config.host)}:${config.port}` };
  });

if (import.meta.main) await main();
