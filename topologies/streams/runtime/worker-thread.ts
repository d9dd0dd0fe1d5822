// The program of one thread of a `StreamsPool`: a StreamsWorker over the applications' modules, which tells the main thread what it does.
import { parentPort, workerData } from 'node:worker_threads';
import { connectKafka, type Decompressors } from '../kafka/index.ts';
import { loadApplication } from './application-module.ts';
import { type Log, messageOf } from './log.ts';
import { answersOf } from './thread-answers.ts';
import {
  type FromThread,
  plainError,
  type ThreadAnswers,
  type ThreadData,
  type ToThread,
  toPlain,
} from './thread-messages.ts';
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
const paused = new Set<string>();
let worker: StreamsWorker | null = null;
let answers: ThreadAnswers | null = null;

const pauseAll = (wanted: ReadonlySet<string>): void => {
  for (const { applicationId } of applications) {
    if (wanted.has(applicationId) === paused.has(applicationId)) continue;
    if (wanted.has(applicationId)) paused.add(applicationId);
    else paused.delete(applicationId);
    if (paused.has(applicationId)) worker?.pause(applicationId);
    else worker?.resume(applicationId);
  }
};

async function answer({ id, what, about }: Extract<ToThread, { kind: 'ask' }>): Promise<void> {
  try {
    if (answers === null) throw new Error(`${instanceId} was asked for ${what} before it had anything`);
    // Both ends name what is asked and about what with the types of ThreadAnswers.
    const given = await (answers[what] as (...about: readonly unknown[]) => unknown)(...about);
    tell({ kind: 'answer', id, answer: given });
  } catch (error) {
    tell({ kind: 'answer', id, error: plainError(error) });
  }
}

parentPort?.on('message', (said: ToThread) => {
  if (said.kind === 'ask') void answer(said);
  else if (said.kind === 'pause') pauseAll(said.applications);
  else closing.resolve();
});

async function run(): Promise<void> {
  const loaded = await Promise.all(
    applications.map(async ({ applicationId, url, data }) => ({
      applicationId,
      ...(await loadApplication(url, data)),
    })),
  );
  const logs = new Set([post, ...loaded.flatMap(({ log }) => log ?? [])]);
  const decompress: Decompressors = Object.assign({}, ...loaded.map((one) => one.decompress));
  const port = await connectKafka({ clientId: instanceId, ...connection, decompress });
  const opened = new StreamsWorker({
    applications: loaded.map(({ applicationId, topology, onFailure, onProductionError, tracing }) => ({
      applicationId,
      topology,
      ...(onFailure !== null && { onFailure }),
      ...(onProductionError !== null && { onProductionError }),
      ...(tracing !== null && { tracing }),
    })),
    port,
    stateDir,
    instanceId,
    ...settings,
    log: (...entry) => {
      for (const log of logs) log(...entry);
    },
  });
  worker = opened;
  answers = answersOf(opened);
  for (const applicationId of paused) opened.pause(applicationId);
  opened.states$.subscribe((states) => {
    flush(); // what led to it comes first
    tell({ kind: 'states', states });
  });
  opened.restore$.subscribe((progress) => tell({ kind: 'restore', progress }));
  const started = opened.start().then(
    () => tell({ kind: 'running' }),
    (error: unknown) => tell({ kind: 'refused', error: plainError(error) }),
  );
  await closing.promise;
  await opened.close();
  await started;
  await port.close();
  const ends = new Map(loaded.map(({ applicationId, onClosed }) => [onClosed, applicationId])); // of a module that has several, once
  for (const [onClosed, applicationId] of ends) {
    try {
      await onClosed?.();
    } catch (error) {
      const text = `onClosed of ${applicationId} failed; all is committed: ${messageOf(error)}`;
      post('warn', 'close-failed', text, { error });
    }
  }
}

await run().catch(async (error: unknown) => {
  tell({ kind: 'refused', error: plainError(error) });
  await closing.promise;
});
flush();
tell({ kind: 'closed' });
process.exit(0); // of this thread
