import type { ConsumedRecord } from '@bookstream/streams/kafka/port';
import type { ApplicationTracing } from '@bookstream/streams/tracing/application-tracing';

/**
 * Begins a span for the records of a batch that are sampled, and one for its write. A batch that is tried again has others.
 * @returns what ends them; with what the write failed with, if it did
 */
export function beginSpans(
  tracing: ApplicationTracing | undefined,
  records: readonly ConsumedRecord[],
): (failure?: unknown) => void {
  if (tracing === undefined) return () => {};
  const spans = records.flatMap((record) => tracing.record(record, `${record.topic}-${record.partition}`) ?? []);
  const commit = tracing.commit(records.length);
  return (failure) => {
    for (const span of spans) span.end(failure);
    commit?.end(failure);
  };
}
