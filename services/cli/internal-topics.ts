import { type InternalTopicRole, internalTopicsOf } from '@bookstream/streams';
import { type AdminPort, connectKafka, type KafkaPort, partitionName } from '@bookstream/streams/kafka/index';
import { applications } from './applications.ts';

/** A topic that an application has made for itself. */
export interface InternalTopicState {
  readonly name: string;
  readonly application: string;
  readonly role: InternalTopicRole;
  /** `orphan`: an older topology of the application has left it. */
  readonly state: 'there' | 'missing' | 'orphan';
  readonly partitions: number;
  readonly cleanup: string;
  /** -1: for ever. */
  readonly retentionMs: number;
  /** From the beginning to the end of each partition: no fewer than there are, since compaction and transactions leave gaps. */
  readonly offsets: number;
}

type Kafka = KafkaPort & AdminPort;

/** The internal topics of every application of the shop, as its topology names them and as they are. */
export async function internalTopics(kafkaUrl: string): Promise<readonly InternalTopicState[]> {
  const kafka = await connectKafka({ bootstrapServers: kafkaUrl, clientId: 'bookstream-cli-topics' });
  try {
    return await look(kafka);
  } finally {
    await kafka.close();
  }
}

async function look(kafka: Kafka): Promise<readonly InternalTopicState[]> {
  const existing = await kafka.listTopics();
  const ids = [...applications.keys()];
  const named = Array.from(applications, ([application, plan]) =>
    internalTopicsOf(plan, existing, ids).map((topic) => ({ ...topic, application })),
  ).flat();
  const there = named.filter(({ exists }) => exists).map(({ name }) => name);
  const [counts, configs] = await Promise.all([kafka.partitionCounts(there), kafka.topicConfigs(there)]);
  const offsets = await offsetsOf(kafka, counts);
  return named.map(({ name, application, role, exists, isOrphan }) => {
    const config = configs.get(name);
    const cleanup = config?.get('cleanup.policy') ?? '';
    return {
      ...{ name, application, role },
      state: isOrphan ? 'orphan' : exists ? 'there' : 'missing',
      partitions: counts.get(name) ?? 0,
      cleanup,
      // Of a topic that is only compacted nothing is ever too old.
      retentionMs: cleanup.includes('delete') ? Number(config?.get('retention.ms') ?? -1) : -1,
      offsets: offsets.get(name) ?? 0,
    };
  });
}

async function offsetsOf(kafka: Kafka, counts: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, number>> {
  const partitions = [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  const [starts, ends] = await Promise.all([kafka.earliestOffsets(partitions), kafka.endOffsets(partitions)]);
  const sums = new Map<string, number>();
  for (const partition of partitions) {
    const name = partitionName(partition);
    const size = (ends.get(name) ?? 0) - (starts.get(name) ?? 0);
    sums.set(partition.topic, (sums.get(partition.topic) ?? 0) + size);
  }
  return sums;
}
