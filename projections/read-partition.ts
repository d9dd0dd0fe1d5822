import type { FetchedBatch, KafkaPort, TopicPartition } from '@bookstream/streams/kafka/port';
import { RebuildError } from './errors.ts';

const pauseAtRecords = 10_000;

/**
 * The committed records of a partition from `from` to `end`, or to where readers of committed records end now, in batches and in order.
 * @throws RebuildError – the log does not go back to `from` any more; the signal's reason
 */
export async function* readPartition(
  port: KafkaPort,
  at: TopicPartition,
  from: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<FetchedBatch> {
  if (from >= end) return;
  const queue: FetchedBatch[] = [];
  let queued = 0;
  let paused = false;
  let fault: Error | null = null;
  let wake = () => {};
  const fetcher = port.fetcher({
    isolation: 'read_committed',
    onBatch: (batch) => {
      queue.push(batch);
      queued += batch.records.length;
      if (queued > pauseAtRecords && !paused) {
        paused = true;
        fetcher.pause(at);
      }
      wake();
    },
    onOutOfRange: (_, position, logStart) => {
      fault = new RebuildError(
        `${at.topic}-${at.partition} begins at offset ${logStart} now, so it cannot be read from ${position}; the live build is untouched. Start the rebuild again.`,
      );
      wake();
    },
    onError: (error) => {
      fault = error;
      wake();
    },
  });
  const abort = () => wake();
  signal.addEventListener('abort', abort);
  try {
    fetcher.assign(at, from);
    for (;;) {
      signal.throwIfAborted();
      if (fault !== null) throw fault;
      const batch = queue.shift();
      if (batch === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
        continue;
      }
      queued -= batch.records.length;
      if (paused && queued < pauseAtRecords / 2) {
        paused = false;
        fetcher.resume(at);
      }
      yield batch;
      if (batch.nextOffset >= Math.min(end, batch.lastStableOffset)) return;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    await fetcher.close();
  }
}
