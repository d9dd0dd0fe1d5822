import { dlqOf, topics } from '@bookstream/schemas/topics';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { TopicMismatchError } from './errors.ts';

export interface TopicState {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: string;
  readonly retentionMs: number;
  /** The one that may write to it; null: several may, and dead letters have their reader as writer. */
  readonly writer: string | null;
  readonly state: 'created' | 'there' | 'missing';
}

interface Wanted {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: string;
  readonly retentionMs: number;
  readonly writer: string | null;
}

/** Topics that no topology reads have no dead letters. */
const unread = new Set<string>([topics.commandOutcomes.name, topics.projectionsEvents.name]);

/** Every topic of the manifest and its dead-letter topic. */
const wantedTopics = (): readonly Wanted[] =>
  Object.values(topics).flatMap((topic) => [
    topic,
    ...(unread.has(topic.name) ? [] : [{ ...dlqOf(topic), writer: null }]),
  ]);

async function withAdmin<T>(kafkaUrl: string, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({
    clientId: 'bookstream-setup',
    brokers: kafkaUrl.split(','),
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/**
 * Creates what is missing, with the broker's own replication. What exists stays as it is.
 * @param options.create false only looks
 * @throws TopicMismatchError when a topic has another number of partitions: keys would be sent elsewhere than their history
 */
export function ensureTopics(kafkaUrl: string, options: { readonly create: boolean }): Promise<readonly TopicState[]> {
  return withAdmin(kafkaUrl, async (admin) => {
    const wanted = wantedTopics();
    const there = new Set(await admin.listTopics());
    const missing = wanted.filter((topic) => !there.has(topic.name));
    const present = wanted.filter((topic) => there.has(topic.name)).map((topic) => topic.name);
    if (present.length > 0) {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: present });
      for (const topic of wanted) {
        const count = found.find((one) => one.name === topic.name)?.partitions.length ?? topic.partitions;
        if (count !== topic.partitions) {
          throw new TopicMismatchError(
            topic.name,
            `has ${count} partitions, the manifest says ${topic.partitions}`,
            'name another Kafka with KAFKA_URL, or begin with empty data: `npm start -- --reset`.',
          );
        }
      }
    }
    if (options.create && missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map((topic) => ({
          topic: topic.name,
          numPartitions: topic.partitions,
          replicationFactor: -1,
          configEntries: [
            { name: 'cleanup.policy', value: topic.cleanup },
            { name: 'retention.ms', value: String(topic.retentionMs) },
          ],
        })),
      });
    }
    return wanted.map(({ name, partitions, cleanup, retentionMs, writer }) => ({
      ...{ name, partitions, cleanup, retentionMs, writer },
      state: there.has(name) ? 'there' : options.create ? 'created' : 'missing',
    }));
  });
}
