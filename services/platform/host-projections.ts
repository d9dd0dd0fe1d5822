import type { Projection } from '@bookstream/projections/projection';
import { Projector } from '@bookstream/projections/projector';
import { MongoSink } from '@bookstream/projections/sinks/mongo';
import { PostgresSink } from '@bookstream/projections/sinks/postgres';
import { connectKafka } from '@bookstream/streams/kafka/index';
import { registerProjections } from './projection-metrics.ts';
import type { ServiceContext } from './run-process.ts';

/**
 * Keeps the live builds of projections up with their topics. A projection that cannot be followed (its definition changed: it waits for a
 * rebuild) makes the process unready, and does not keep the others from being followed.
 */
export async function hostProjections(context: ServiceContext, projections: readonly Projection[]): Promise<void> {
  if (projections.length === 0) return;
  const { config, logger, health, metrics, tracing, shutdown } = context;
  const port = await connectKafka({ bootstrapServers: config.kafkaUrl, clientId: `${config.instance}-projections` });
  const sinks = { postgres: new PostgresSink(config.postgresUrl), mongo: new MongoSink(config.mongoUrl) };
  shutdown.add('projection sinks', async () => {
    await Promise.all([sinks.postgres.close(), sinks.mongo.close()]);
    await port.close();
  });

  const running: Projector[] = [];
  registerProjections(metrics, () => running);
  await Promise.all(
    projections.map(async (projection) => {
      const part = `projection ${projection.name}`;
      const sayFault = (error: Error) =>
        logger.warn('projection-fault', `${projection.name}: ${error.message}`, { projection: projection.name, error });
      try {
        const sink = sinks[projection.sink];
        const projector = await Projector.start({
          projection,
          port,
          sink,
          instanceId: config.instance,
          onError: sayFault,
          ...(tracing && { tracing: tracing.engine }),
        });
        running.push(projector);
        shutdown.add(part, () => projector.close());
        health.expect(part, () => stuckAt(projector));
      } catch (error) {
        const fault = error instanceof Error ? error : new Error(String(error));
        logger.error('projection-failed', fault.message, { projection: projection.name, error: fault });
        health.expect(part, fault.message);
      }
    }),
  );
}

/** Why the first partition that does not move does not; null when all do. */
function stuckAt(projector: Projector): string | null {
  const stuck = projector.status.find((one) => one.state === 'RETRYING');
  return stuck === undefined ? null : `${stuck.topic}-${stuck.partition}: ${stuck.error?.message ?? 'trying again'}`;
}
