import { TopologyError } from '../errors.ts';
import type { Member, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';

/** Source partitions that one task reads: they go to one member together. */
export interface TaskInputs {
  readonly taskId: string;
  readonly partitions: readonly TopicPartition[];
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

/** Even shares; a task stays where it is as long as its owner has not more than its share, so a restart moves nothing that need not move. */
export function assignTasks(
  tasks: readonly TaskInputs[],
  members: readonly Member[],
): ReadonlyMap<string, readonly TopicPartition[]> {
  const sorted = [...members].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const least = Math.floor(tasks.length / Math.max(1, sorted.length));
  /** How many members may have one more than the least. */
  let larger = tasks.length % Math.max(1, sorted.length);
  const shares = new Map(sorted.map((member) => [member.memberId, [] as TaskInputs[]]));
  const owners = new Map(sorted.flatMap((member) => member.owned.map((one) => [partitionName(one), member.memberId])));
  const left: TaskInputs[] = [];
  for (const task of tasks) {
    const owner = task.partitions.map((one) => owners.get(partitionName(one))).find((one) => one !== undefined);
    const share = owner === undefined ? undefined : shares.get(owner);
    if (share !== undefined && share.length < least) share.push(task);
    else if (share !== undefined && share.length === least && larger > 0) {
      share.push(task);
      larger -= 1;
    } else left.push(task);
  }
  for (const task of left) {
    const taker = sorted.reduce<Member | null>(
      (best, member) =>
        best === null || (shares.get(member.memberId)?.length ?? 0) < (shares.get(best.memberId)?.length ?? 0)
          ? member
          : best,
      null,
    );
    if (taker !== null) shares.get(taker.memberId)?.push(task);
  }
  return new Map([...shares].map(([memberId, share]) => [memberId, share.flatMap((task) => task.partitions)]));
}

const nameOf = (member: Member): string => member.groupInstanceId ?? member.memberId;
