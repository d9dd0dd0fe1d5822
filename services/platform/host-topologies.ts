import { join } from 'node:path';
import * as streams from '@bookstream/streams';
import type { Observable } from 'rxjs';
import type { OwnedTopology } from './owns.ts';
import type { ServiceContext } from './run-process.ts';

/** What is used of the library's StreamsWorker. */
interface Worker {
  readonly state$: Observable<string>;
  start(): Promise<void>;
  close(): Promise<void>;
}

type WorkerClass = new (options: {
  readonly applications: readonly { readonly applicationId: string; readonly topology: unknown }[];
  readonly bootstrapServers: string;
  readonly stateDir: string;
  readonly instanceId: string;
  readonly processingGuarantee: 'exactly_once';
}) => Worker;

/** Runs topologies in one worker, each an application of its own. Ready when the worker says RUNNING; ended by the context's shutdown. */
export async function hostTopologies(context: ServiceContext, topologies: readonly OwnedTopology[]): Promise<void> {
  if (topologies.length === 0) return;
  const { config, logger, health, shutdown } = context;
  const applications = topologies.map(({ applicationId, build }) => {
    const builder = new streams.StreamsBuilder();
    build(builder);
    return { applicationId, topology: builder.build() };
  });
  const { StreamsWorker } = streams as unknown as { StreamsWorker: WorkerClass }; // until the library's barrel names it
  const worker = new StreamsWorker({
    applications,
    bootstrapServers: config.kafkaUrl,
    stateDir: join(config.dataDir, 'state', config.instance),
    instanceId: config.instance,
    processingGuarantee: 'exactly_once',
  });
  let state = 'CREATED';
  health.expect('topologies', () => (state === 'RUNNING' ? null : state.toLowerCase()));
  const seen = worker.state$.subscribe((next) => {
    logger.info('worker-state', `topologies: ${state} → ${next}`);
    state = next;
  });
  shutdown.add('topologies', async () => {
    await worker.close();
    seen.unsubscribe();
  });
  await worker.start();
}
