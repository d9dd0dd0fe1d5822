import type { KafkaPort, TopicPartition } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';

/**
 * Where inputs begin that the group has no offset of, as the `offsetReset` of their sources says: with what is still there, or with what comes.
 * @returns offset by `partitionName`
 */
export async function beginnings(
  kafka: Pick<KafkaPort, 'earliestOffsets' | 'endOffsets'>,
  plan: ApplicationPlan,
  inputs: readonly TopicPartition[],
): Promise<ReadonlyMap<string, number>> {
  const sources = plan.subTopologies.flatMap((sub) => sub.sources);
  const resets = new Map(sources.map((source) => [source.topic, source.offsetReset]));
  const latest = inputs.filter((input) => resets.get(input.topic) === 'latest');
  const earliest = inputs.filter((input) => resets.get(input.topic) !== 'latest');
  return new Map([
    ...(earliest.length > 0 ? await kafka.earliestOffsets(earliest) : []),
    ...(latest.length > 0 ? await kafka.endOffsets(latest) : []),
  ]);
}
