import { type ConsumedRecord, type KafkaPort, partitionName } from '../kafka/index.ts';

/** Everything that is committed on a topic, partition by partition in the order of offsets. */
export async function readCommitted(
  kafka: KafkaPort,
  topic: string,
  take: (record: ConsumedRecord) => void,
): Promise<void> {
  const length = (await kafka.partitionCounts([topic])).get(topic) ?? 0;
  const parts = Array.from({ length }, (_, partition) => ({ topic, partition }));
  const ends = await kafka.endOffsets(parts);
  const left = new Set(parts.map(partitionName).filter((name) => (ends.get(name) ?? 0) > 0));
  if (left.size === 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: (batch) => {
      for (const record of batch.records) take(record);
      const name = partitionName(batch);
      if (batch.nextOffset < (ends.get(name) ?? 0)) return;
      left.delete(name);
      if (left.size === 0) resolve();
    },
    onOutOfRange: ({ partition }) => reject(new Error(`${topic}-${partition} does not begin at 0`)),
    onError: reject,
  });
  const timer = setTimeout(
    () => reject(new Error(`${topic} was not read in a minute: is a transaction open?`)),
    60_000,
  );
  for (const part of parts) fetcher.assign(part, 0);
  await promise.finally(async () => {
    clearTimeout(timer);
    await fetcher.close();
  });
}
