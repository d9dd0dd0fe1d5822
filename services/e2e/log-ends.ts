import { connectKafka } from '@bookstream/streams/kafka/index';

/** Where each partition of `topics` ends now, as `topic-partition` → offset: equal twice means nothing was written in between. */
export async function logEnds(kafkaUrl: string, names: readonly string[]): Promise<Record<string, number>> {
  const kafka = await connectKafka({ bootstrapServers: kafkaUrl, clientId: 'e2e-log-ends' });
  try {
    const counts = await kafka.partitionCounts(names);
    const partitions = [...counts].flatMap(([topic, count]) =>
      Array.from({ length: count }, (_, partition) => ({ topic, partition })),
    );
    return Object.fromEntries([...(await kafka.endOffsets(partitions))].sort());
  } finally {
    await kafka.close();
  }
}
