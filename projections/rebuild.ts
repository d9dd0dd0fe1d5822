import type { KafkaPort } from '@bookstream/streams/kafka/port';
import type { BadRecord } from './batch.ts';
import { type Difference, verifyLoaded } from './compare.ts';
import { ContentHash } from './content-hash.ts';
import { RebuildCancelledError, RebuildError } from './errors.ts';
import { goLive } from './go-live.ts';
import { loadAll } from './load.ts';
import type { Projection } from './projection.ts';
import { RebuildEvents } from './rebuild-events.ts';
import { isCondemned, type RebuildProgress, RebuildReport, type RebuildTask } from './rebuild-report.ts';
import type { Sink } from './sink.ts';

export type { RebuildPhase, RebuildProgress } from './rebuild-report.ts';

export interface RebuildOptions {
  readonly projection: Projection;
  readonly port: KafkaPort;
  readonly sink: Sink;
  /** Who asked for it. */
  readonly actor: string;
  /** Cancels: the new build is dropped. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RebuildProgress) => void;
  /** Stops before the switch, with the build complete; a later `rebuild` goes on from there. */
  readonly switch?: boolean;
}

export interface RebuildResult {
  readonly build: number;
  readonly former: number;
  readonly switched: boolean;
  /** As loaded and read back, all tables together. */
  readonly rows: number;
  readonly contentHash: string;
  /** New build against the former one; empty when their definitions differ, since then every row does. */
  readonly differences: readonly Difference[];
  /** Records that were left out because they could not be read or folded. */
  readonly bad: readonly BadRecord[];
}

/**
 * Makes a projection anew beside the live build, from the earliest records on, and lets readers see it when it is whole, verified and as far
 * as the live one. An attempt that was killed is gone on with. The former build is kept for `rollback`.
 * @throws RebuildError, RebuildCancelledError – readers see what they saw before
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildResult> {
  const { projection, port, sink, actor } = options;
  await sink.prepare(projection);
  await using _lock = await sink.lockRebuild(projection.name);
  const events = await RebuildEvents.open(port, actor);
  const { build } = await sink.begin(projection);
  const task = taskOf(options, build, events);
  try {
    await events.send({ type: 'RebuildStarted', projection: projection.name, build });
    await loadAll(task);
    task.report.enter('INDEX');
    await sink.index(projection, build);
    task.report.enter('VERIFY');
    const content = await verifyLoaded(task);
    return await finish(task, content, options.switch ?? true);
  } catch (error) {
    if (task.signal.aborted || (await isCondemned(sink, projection.name, build))) {
      await sink.drop(projection, build);
      await events.send({ type: 'RebuildCancelled', projection: projection.name, build });
      throw new RebuildCancelledError(projection.name, build);
    }
    // What was verified wrong is of no use to a later attempt; after any other fault it goes on with what is loaded.
    if (error instanceof RebuildError) await sink.drop(projection, build);
    const reason = error instanceof Error ? error.message : String(error);
    await events.send({ type: 'RebuildFailed', projection: projection.name, build, reason });
    throw error;
  } finally {
    await events.close();
  }
}

function taskOf(options: RebuildOptions, build: number, events: RebuildEvents): RebuildTask {
  const { projection, port, sink, signal = new AbortController().signal, onProgress = () => undefined } = options;
  const of = { projection, port, sink, build, signal, events };
  return { ...of, report: new RebuildReport(of, onProgress), bad: [] };
}

async function finish(task: RebuildTask, content: ContentHash, toSwitch: boolean): Promise<RebuildResult> {
  const { projection, build, events, bad } = task;
  const { rows, hex: contentHash } = content;
  const live = await goLive(task, toSwitch);
  if (live.switched) {
    await events.send({ type: 'RebuildSwitched', projection: projection.name, build, rows: BigInt(rows), contentHash });
  }
  return { build, ...live, rows, contentHash, bad };
}

/** From anywhere: a process that rebuilds notices within a second. @returns the build that was cancelled, null when none was under way */
export async function cancelRebuild(sink: Sink, projection: Projection): Promise<number | null> {
  const { name } = projection;
  const build = (await sink.builds(name)).find(({ state }) => state === 'BUILDING')?.build;
  if (build === undefined) return null;
  await sink.condemn(name, build);
  const lock = await sink.lockRebuild(name).catch((error: unknown) => {
    if (error instanceof RebuildError) return null; // the process that rebuilds lives and drops it
    throw error;
  });
  if (lock === null) return build;
  await using _lock = lock;
  await sink.drop(projection, build);
  return build;
}

/**
 * Shows readers the build before the live one again, brought up to date first.
 * @throws RebuildError – none is kept, or it is of another definition
 */
export async function rollback(options: RebuildOptions): Promise<RebuildResult> {
  const { projection, port, sink, actor } = options;
  await using _lock = await sink.lockRebuild(projection.name);
  const kept = (await sink.builds(projection.name)).find(({ state }) => state === 'KEPT');
  if (kept === undefined)
    throw new RebuildError(`no former build of ${projection.name} is kept; nothing was switched.`);
  if (kept.definition !== projection.definition) {
    throw new RebuildError(
      `build ${kept.build} of ${projection.name} was made by another definition; nothing was switched. Run the release that made it.`,
    );
  }
  const events = await RebuildEvents.open(port, actor);
  try {
    const task = taskOf(options, kept.build, events);
    return await finish(task, await hashOf(sink, projection, kept.build), true);
  } finally {
    await events.close();
  }
}

async function hashOf(sink: Sink, projection: Projection, build: number): Promise<ContentHash> {
  const content = new ContentHash();
  for (const table of projection.tables) {
    for await (const rows of sink.rows(table, build)) for (const row of rows) content.add(row);
  }
  return content;
}
