import { TopologyError } from '../errors.ts';
import type { TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';

/** What one task reads and keeps; the partitions of its sources go to one member together. */
export interface TaskInputs {
  readonly taskId: string;
  readonly partitions: readonly TopicPartition[];
  /** Of its stores that others can keep a copy of. Empty: nothing is gained by preparing a move. */
  readonly changelogs: readonly TopicPartition[];
}

/** Every task of an application: per sub-topology as many as its widest source has partitions. */
export function tasksOf(plan: ApplicationPlan, partitionsOf: (topic: string) => number): readonly TaskInputs[] {
  return plan.subTopologies.flatMap((sub) => {
    const count = Math.max(0, ...sub.sources.map((source) => partitionsOf(source.topic)));
    return Array.from({ length: count }, (_, partition) => ({
      taskId: `${sub.id}_${partition}`,
      partitions: sub.sources
        .filter((source) => partition < partitionsOf(source.topic))
        .map((source) => ({ topic: source.topic, partition })),
      changelogs: sub.stores.flatMap(({ changelogTopic, hasStandby }) =>
        changelogTopic === null || !hasStandby ? [] : [{ topic: changelogTopic, partition }],
      ),
    }));
  });
}

/**
 * Those of `tasks` whose inputs are in `partitions`.
 * @throws TopologyError – a task was given only some of its inputs: nobody may work on it, since another member has the rest
 */
export function tasksGiven(
  applicationId: string,
  tasks: readonly TaskInputs[],
  partitions: readonly TopicPartition[],
): readonly TaskInputs[] {
  const mine = new Set(partitions.map(partitionName));
  return tasks.filter((task) => {
    const given = task.partitions.filter((partition) => mine.has(partitionName(partition)));
    if (given.length > 0 && given.length < task.partitions.length) {
      throw new TopologyError(
        `${applicationId} was given ${given.map(partitionName).join(', ')} without the other inputs of task ${task.taskId}: ` +
          'the instance that shares out the tasks runs another topology. Nothing was processed; deploy the same one on all instances.',
      );
    }
    return given.length > 0;
  });
}
