import type { RestoreProgress } from '@bookstream/streams';
import type { Logger } from './logger.ts';

/** A line of one store comes no more often; a restore that is done sooner is told by the engine's summary alone. */
const everyMs = 2_000;

/** Logs the restores that take a while: how far, how fast, how long still. For the progress of one worker. */
export function restoreLog(
  logger: Pick<Logger, 'info'>,
  now = () => performance.now(),
): (progress: RestoreProgress) => void {
  const toldAt = new Map<string, number>();
  return (progress) => {
    const { applicationId, taskId, store, partition, restored, total, recordsPerSecond, etaMs, done } = progress;
    const key = `${applicationId} ${taskId} ${store} ${partition}`;
    const before = toldAt.get(key);
    if (done) toldAt.delete(key);
    else if (before === undefined || now() - before >= everyMs) toldAt.set(key, now());
    // The first one comes before anything is read.
    if (before === undefined || now() - before < everyMs) return;
    const left =
      etaMs === null ? 'how long it takes is not known' : done ? 'done' : `${(etaMs / 1_000).toFixed(1)} s left`;
    const percent = Math.floor((restored / total) * 100);
    const text = `${applicationId} restores ${store}-${partition}: ${percent} % (${restored} of ${total} records, ${recordsPerSecond}/s), ${left}`;
    logger.info('restore-progress', text, {
      applicationId,
      taskId,
      store,
      partition,
      restored,
      total,
      recordsPerSecond,
      etaMs,
      done,
    });
  };
}
