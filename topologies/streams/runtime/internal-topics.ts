import { TopologyError } from '../errors.ts';
import { BrokerRefusalError } from '../kafka/errors.ts';
import type { KafkaPort, TopicSpec } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import { checkCoPartitioning, internalWidths } from '../plan/partition-widths.ts';
import { deadLetterTopicOf } from './dead-letter.ts';

export interface TopicOptions {
  /** Records of repartition topics may become dead letters, too. */
  readonly internalDeadLetters: boolean;
}

/**
 * Creates the topics that are the application's own (repartition, changelog, dead letters) and checks those that are not.
 * @returns partition counts of every topic that the application names
 * @throws TopologyError – a topic of others is missing, or one of ours has another partition count; CoPartitionError
 */
export async function prepareTopics(
  plan: ApplicationPlan,
  kafka: KafkaPort,
  options: TopicOptions = { internalDeadLetters: false },
): Promise<ReadonlyMap<string, number>> {
  const external = new Set<string>(plan.globalTables.map((table) => table.topic));
  const internal = new Set<string>();
  const redrives = new Set<string>();
  for (const source of plan.subTopologies.flatMap((sub) => sub.sources)) {
    if (source.redrive) redrives.add(source.topic);
    else if (source.internal) internal.add(source.topic);
    else external.add(source.topic);
  }
  const sources = [...external];
  for (const topic of plan.subTopologies.flatMap((sub) => sub.sinkTopics))
    if (!internal.has(topic)) external.add(topic);

  const counts = new Map(await kafka.partitionCounts([...external]));
  const missing = [...external].filter((topic) => !counts.has(topic));
  if (missing.length > 0) {
    throw new TopologyError(
      `${plan.applicationId} reads or writes ${missing.join(', ')}, which is not there; nothing was started. Create the topics first.`,
    );
  }
  for (const [topic, partitions] of internalWidths(plan, counts)) counts.set(topic, partitions);
  checkCoPartitioning(plan, (topic) => counts.get(topic));
  await checkRereads(plan, kafka);

  const withDeadLetters = options.internalDeadLetters ? [...sources, ...internal.keys()] : sources;
  const deadLetters = withDeadLetters.map((topic) => deadLetterSpec(topic, counts));
  const wanted = [...internalSpecs(plan, [...internal, ...redrives], counts), ...deadLetters];
  await createAll(kafka, wanted);
  const there = await kafka.partitionCounts(wanted.map((spec) => spec.name));
  for (const spec of wanted) {
    const count = there.get(spec.name) ?? 0;
    if (count !== spec.partitions) {
      throw new TopologyError(
        `${spec.name} has ${count} partitions, ${spec.partitions} are needed; nothing was started. Delete it (its state is read again from its sources) or give the sources ${count} partitions.`,
      );
    }
    counts.set(spec.name, count);
  }
  return counts;
}

async function createAll(kafka: KafkaPort, wanted: readonly TopicSpec[]): Promise<void> {
  try {
    await kafka.createTopics(wanted);
  } catch (error) {
    if (!(error instanceof BrokerRefusalError && error.errorCode === invalidConfig)) throw error;
    // Brokers before 3.6 do not know the bounds of times, and have none of their own. If it was something else, it is refused again.
    const isBound = (name: string): boolean => name in anyTime;
    const without = (config: TopicSpec['config'] = {}) =>
      Object.fromEntries(Object.entries(config).filter(([name]) => !isBound(name)));
    await kafka.createTopics(wanted.map((spec) => ({ ...spec, config: without(spec.config) })));
  }
}

/** What a store is read again from must still be there then. */
async function checkRereads(plan: ApplicationPlan, kafka: KafkaPort): Promise<void> {
  const stores = plan.subTopologies.flatMap((sub) => sub.stores);
  const rereads = stores.flatMap(({ spec, rereadTopic }) =>
    rereadTopic === null ? [] : [{ store: spec.name, topic: rereadTopic, reachMs: spec.rereads?.reachMs ?? 0 }],
  );
  if (rereads.length === 0) return;
  const configs = await kafka.topicConfigs([...new Set(rereads.map(({ topic }) => topic))]).catch((cause: unknown) => {
    if (!(cause instanceof BrokerRefusalError)) throw cause;
    const names = rereads.map(({ store, topic }) => `${store} from ${topic}`).join(', ');
    throw new TopologyError(
      `whether topics keep their records for as long as joins reach back cannot be read (${names}: ${cause.message}); nothing was started. ` +
        'Allow DescribeConfigs, or give the joins changelogs of their own (logged: true).',
      { cause },
    );
  });
  for (const { store, topic, reachMs } of rereads) {
    const config = configs.get(topic);
    const retentionMs = Number(config?.get('retention.ms') ?? -1);
    const isCompacted = config?.get('cleanup.policy')?.includes('compact') ?? false;
    if (!isCompacted && (retentionMs < 0 || retentionMs >= reachMs)) continue;
    const why = isCompacted ? 'is compacted' : `keeps records for ${retentionMs} ms`;
    throw new TopologyError(
      `${store} is restored from ${topic}, which ${why}, and the join reaches back ${reachMs} ms; nothing was started. ` +
        'Give the join a changelog of its own (logged: true), or let the topic keep its records for longer.',
    );
  }
}

function internalSpecs(
  plan: ApplicationPlan,
  internal: readonly string[],
  counts: ReadonlyMap<string, number>,
): TopicSpec[] {
  const repartition = internal.map(
    (name): TopicSpec => ({
      name,
      partitions: counts.get(name) ?? 1,
      config: { 'cleanup.policy': 'delete', 'retention.ms': '-1', ...createTime },
    }),
  );
  const changelogs = plan.subTopologies.flatMap((sub) => {
    const partitions = Math.max(1, ...sub.sources.map((source) => counts.get(source.topic) ?? 1));
    return sub.stores.flatMap(({ spec, changelogTopic }): TopicSpec[] => {
      if (changelogTopic === null) return [];
      // Of a versioned store only replaced versions are ever too old, and the store deletes those itself.
      const reach = spec.kind === 'versioned' ? null : spec.retentionMs;
      const windowed = reach === null ? {} : { 'retention.ms': String(reach + 86_400_000) };
      const policy = reach === null ? 'compact' : 'compact,delete';
      const config = { 'cleanup.policy': policy, ...createTime, ...windowed, ...spec.changelogConfig };
      return [{ name: changelogTopic, partitions, config }];
    });
  });
  return [...repartition, ...changelogs];
}

const invalidConfig = 40;

/** Times that a source was allowed to bring must not stop the application at a topic of its own. */
const anyTime = {
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807',
};

/** Record times are the engine's own: a broker that stamps its time on arrival would change every join and window behind. */
const createTime = { 'message.timestamp.type': 'CreateTime', ...anyTime };

const deadLetterSpec = (topic: string, counts: ReadonlyMap<string, number>): TopicSpec => ({
  name: deadLetterTopicOf(topic),
  partitions: counts.get(topic) ?? 1,
  config: { 'cleanup.policy': 'delete', 'retention.ms': '-1' },
});
