import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerConnectionError } from '../kafka/errors.ts';
import type { ConsumedRecord, KafkaPort, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

interface Reading {
  readonly partition: TopicPartition;
  /** Next offset. */
  start: number;
  readonly end: number;
}

/** Without any progress. A transaction that nobody ends hides what is behind it until the broker ends it, which it looks for each 10 s. */
const stuckAfterMs = 60_000;

/** Reads what is committed on topics, from their beginning to where they end now. Topics that are not there have nothing. */
export async function readToEnd(
  kafka: KafkaPort,
  topics: readonly string[],
  onRecord: (record: ConsumedRecord) => void,
): Promise<void> {
  const counts = await kafka.partitionCounts(topics);
  const partitions = [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  const [starts, ends] = await Promise.all([kafka.earliestOffsets(partitions), kafka.endOffsets(partitions)]);
  const left = new Map<string, Reading>(
    partitions.flatMap((partition) => {
      const name = partitionName(partition);
      const [start = 0, end = 0] = [starts.get(name), ends.get(name)];
      return start < end ? [[name, { partition, start, end }]] : [];
    }),
  );
  let movedAt = performance.now();
  let fault: Error | null = null;
  let failure: unknown = null;
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    maxWaitMs: 100,
    onBatch: (batch) => {
      const reading = left.get(partitionName(batch));
      if (reading === undefined || failure !== null) return;
      try {
        for (const record of batch.records) if (record.offset < reading.end) onRecord(record);
      } catch (error) {
        failure = error; // told below; the fetcher would bring the batch again
      }
      if (batch.nextOffset > reading.start) movedAt = performance.now();
      reading.start = batch.nextOffset;
      if (batch.nextOffset < reading.end) return;
      left.delete(partitionName(batch));
      fetcher.unassign(reading.partition);
    },
    onOutOfRange: (partition, position, logStartOffset) => {
      const reading = left.get(partitionName(partition));
      if (reading === undefined) return;
      if (logStartOffset >= reading.end || logStartOffset <= position) left.delete(partitionName(partition));
      else fetcher.assign(partition, logStartOffset); // retention was faster
    },
    onError: (error) => {
      fault = error;
    },
  });
  try {
    for (const { partition, start } of left.values()) fetcher.assign(partition, start);
    while (left.size > 0 && failure === null) {
      await sleep(10);
      if (performance.now() - movedAt < stuckAfterMs) continue;
      const names = [...left].map(([name, { start, end }]) => `${name} (${start} of ${end})`).join(', ');
      throw new BrokerConnectionError(
        `${names} could not be read to the end: nothing came for ${stuckAfterMs / 1_000} s. An open transaction hides what is behind it.`,
        fault === null ? {} : { cause: fault },
      );
    }
  } finally {
    await fetcher.close();
  }
  if (failure !== null) throw failure;
}
