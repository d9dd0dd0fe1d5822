import { CoPartitionError } from '../errors.ts';
import type { ApplicationPlan } from './application-plan.ts';

/**
 * How many partitions the application's own topics between sub-topologies have (`CopartitionedTopicsEnforcer`): what stands beside others
 * in a join is as wide as they are; what nothing fixes is as wide as the widest topic that feeds it.
 * @param external counts of the topics of others
 */
export function internalWidths(
  plan: ApplicationPlan,
  external: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const sources = plan.subTopologies.flatMap((sub) => sub.sources);
  const internal = sources.filter((source) => source.internal && !source.redrive);
  const fixed = new Map(
    internal.flatMap(({ topic, partitions }) => (partitions === null ? [] : [[topic, partitions]])),
  );
  const known = (topic: string) => external.get(topic) ?? fixed.get(topic);
  const groupOf = equalCounts(plan);
  const widths = new Map(internal.map(({ topic }): [string, number] => [topic, 0]));
  const feeding = (topic: string): readonly string[] =>
    plan.subTopologies
      .filter((sub) => sub.sinkTopics.includes(topic))
      .flatMap((sub) => sub.sources.map((source) => source.topic));
  const widthOf = (topic: string) => known(topic) ?? widths.get(topic) ?? 0;
  // Topics may feed each other in a circle, as the two of a foreign-key join do: each grows until nothing changes.
  for (let changed = true; changed; ) {
    changed = false;
    for (const [topic, was] of widths) {
      if (fixed.has(topic)) continue;
      const group = groupOf(topic);
      const given = group.flatMap((member) => known(member) ?? []);
      const width = Math.max(0, ...(given.length > 0 ? given : group.flatMap(feeding).map(widthOf)));
      if (width <= was) continue;
      widths.set(topic, width);
      changed = true;
    }
  }
  const all = new Map([...widths].map(([topic, width]) => [topic, fixed.get(topic) ?? Math.max(1, width)]));
  for (const { sources } of plan.subTopologies) {
    const fed = sources.filter((source) => !source.redrive);
    const width = Math.max(1, ...fed.map(({ topic }) => external.get(topic) ?? all.get(topic) ?? 1));
    for (const { topic, redrive } of sources) if (redrive) all.set(topic, width);
  }
  return all;
}

/** Topics that joins tie together, also by way of a third one; a topic that none ties is alone. */
function equalCounts(plan: ApplicationPlan): (topic: string) => readonly string[] {
  const groups = new Map<string, Set<string>>();
  for (const { topics } of plan.subTopologies.flatMap((sub) => sub.coPartitioned)) {
    const merged = new Set(topics.flatMap((topic) => [topic, ...(groups.get(topic) ?? [])]));
    for (const topic of merged) groups.set(topic, merged);
  }
  return (topic) => [...(groups.get(topic) ?? [topic])];
}

/** @throws CoPartitionError – topics of one join have unequal counts, so equal keys would not meet */
export function checkCoPartitioning(plan: ApplicationPlan, countOf: (topic: string) => number | undefined): void {
  for (const { node, topics } of plan.subTopologies.flatMap((sub) => sub.coPartitioned)) {
    if (new Set(topics.map(countOf)).size <= 1) continue;
    const list = topics.map((topic) => `${topic} has ${countOf(topic)}`).join(', ');
    throw new CoPartitionError(
      `${node} joins topics of unequal partition counts: ${list}; nothing was started. Repartition one of them.`,
    );
  }
}
