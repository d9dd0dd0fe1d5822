// The program of one thread of a `StreamsPool`: a StreamsWorker over the applications' modules, which tells the main thread what it does.
import { parentPort, workerData } from 'node:worker_threads';
import { connectKafka } from '../kafka/index.ts';
import { loadApplication } from './application-module.ts';
import type { Log } from './log.ts';
import { closeThread, type FromThread, plainError, type ThreadData, toPlain } from './thread-messages.ts';
import { StreamsWorker } from './worker.ts';

const { applications, connection, stateDir, instanceId, settings }: ThreadData = workerData; // a StreamsPool gives it

/** Log entries are gathered for so long: one post each would cost more than the entry. */
const gatherMs = 20;

const tell = (said: FromThread): void => parentPort?.postMessage(said);

let entries: Parameters<Log>[] = [];
let flushing: NodeJS.Timeout | undefined;
const flush = (): void => {
  clearTimeout(flushing);
  flushing = undefined;
  if (entries.length === 0) return;
  tell({ kind: 'log', entries });
  entries = [];
};
const post: Log = (level, event, message, fields) => {
  // Plain at once: what an entry refers to may change until it is sent.
  entries.push(fields === undefined ? [level, event, message] : [level, event, message, plainFields(fields)]);
  flushing ??= setTimeout(flush, gatherMs);
};
const plainFields = (fields: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, toPlain(value)]));

const closing = Promise.withResolvers<void>();
parentPort?.on('message', (said) => {
  if (said === closeThread) closing.resolve();
});

async function run(): Promise<void> {
  const loaded = await Promise.all(
    applications.map(async ({ applicationId, url, data }) => ({
      applicationId,
      ...(await loadApplication(url, data)),
    })),
  );
  const logs = new Set([post, ...loaded.flatMap(({ log }) => log ?? [])]);
  const port = await connectKafka({ clientId: instanceId, ...connection });
  const worker = new StreamsWorker({
    applications: loaded.map(({ applicationId, topology, onFailure }) => ({
      applicationId,
      topology,
      ...(onFailure !== null && { onFailure }),
    })),
    port,
    stateDir,
    instanceId,
    ...settings,
    log: (...entry) => {
      for (const log of logs) log(...entry);
    },
  });
  worker.states$.subscribe((states) => {
    flush(); // what led to it comes first
    tell({ kind: 'states', states });
  });
  worker.restore$.subscribe((progress) => tell({ kind: 'restore', progress }));
  const started = worker.start().then(
    () => tell({ kind: 'running' }),
    (error: unknown) => tell({ kind: 'refused', error: plainError(error) }),
  );
  await closing.promise;
  await worker.close();
  await started;
  await port.close();
}

await run().catch(async (error: unknown) => {
  tell({ kind: 'refused', error: plainError(error) });
  await closing.promise;
});
flush();
tell({ kind: 'closed' });
process.exit(0); // of this thread
