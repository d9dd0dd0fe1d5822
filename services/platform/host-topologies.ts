import { join } from 'node:path';
import { type ApplicationState, StreamsWorker } from '@bookstream/streams';
import { reachableHost } from './config.ts';
import type { LogFields } from './logger.ts';
import { registerFamilies } from './metrics.ts';
import type { OwnedTopology } from './owns.ts';
import { parkDeadLetters, topologyOf } from './plan-of.ts';
import { DiscoveredQueries } from './query-directory.ts';
import { restoreLog } from './restore-log.ts';
import type { ServiceContext } from './run-process.ts';

/**
 * Runs topologies in one worker, each an application of its own. Resolves when all of them run; from then on each is a part of the process's
 * readiness, since one that restores or has failed and begins again does no work. The context's shutdown ends them.
 * @returns what discovery should tell of them: where their queries are answered
 */
export async function hostTopologies(
  context: ServiceContext,
  topologies: readonly OwnedTopology[],
): Promise<Readonly<Record<string, string>>> {
  if (topologies.length === 0) return {};
  const { service, config, logger, health, metrics, tracing, discovery, shutdown } = context;
  const queryDirectory = new DiscoveredQueries(discovery, service);
  const worker = new StreamsWorker({
    applications: topologies.map((one) => ({ applicationId: one.applicationId, topology: topologyOf(one) })),
    bootstrapServers: config.kafkaUrl,
    stateDir: join(config.dataDir, 'state'),
    instanceId: config.instance,
    processingGuarantee: 'exactly_once',
    parkDeadLetters,
    queryEndpoint: { host: config.host, port: 0, advertisedHost: reachableHost(config.host) },
    queryDirectory,
    ...(tracing && { tracing: tracing.engine }),
    log: (level, event, message, fields) => logger[level](event, message, textOf(fields)),
  });

  const states = new Map<string, ApplicationState>();
  for (const { applicationId } of topologies) {
    health.expect(applicationId, () => {
      const state = states.get(applicationId) ?? 'CREATED';
      return state === 'RUNNING' ? null : state.toLowerCase();
    });
  }
  const watching = worker.states$.subscribe((now) => {
    for (const [applicationId, state] of now) {
      const before = states.get(applicationId) ?? 'CREATED';
      if (before === state) continue;
      states.set(applicationId, state);
      logger.info('application-state', `${applicationId}: ${before} → ${state}`, { applicationId, state });
    }
  });
  watching.add(worker.restore$.subscribe(restoreLog(logger)));
  shutdown.add('topologies', async () => {
    await worker.close();
    watching.unsubscribe();
  });
  registerFamilies(metrics, () => worker.metrics());
  await worker.start();
  return queryDirectory.details;
}

const textOf = (fields: Readonly<Record<string, unknown>> = {}): LogFields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? value : String(value)]),
  );
