import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaPort, Member, MemberShare, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { TaskInputs } from './assignor.ts';
import { type SharingMember, type SharingOptions, shareTasks } from './share-tasks.ts';

/** What a member tells whoever leads the group. */
export interface MemberReport {
  /** The same for members that fail together. */
  readonly processId: string;
  readonly capacity: number;
  /** Tasks that it works on: their state is complete. */
  readonly running: readonly string[];
  /** Of the other tasks whose state it keeps: the sum of its positions in their changelogs. */
  readonly positions: Readonly<Record<string, number>>;
  /** How often it has asked for a rebalance: a broker shares out anew only for a member that says something new. */
  readonly probes: number;
}

/** What a member is told beside the partitions of its active tasks. */
export interface StandbyShare {
  /** Tasks whose state it keeps up. */
  readonly standby: readonly string[];
  /** Those of them that move to it when it asks for that, caught up. */
  readonly warmup: readonly string[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const encodeReport = (report: MemberReport): Uint8Array => encoder.encode(JSON.stringify(report));

const reportOf = (member: Member): MemberReport =>
  member.userData.length === 0
    ? { processId: member.memberId, capacity: 1, running: [], positions: {}, probes: 0 }
    : JSON.parse(decoder.decode(member.userData)); // written by encodeReport: members of a group run the same topology

export const standbyShareIn = (userData: string): StandbyShare =>
  userData === '' ? { standby: [], warmup: [] } : JSON.parse(userData); // written by the leader below

/** The group waits for its leader, whose session ends if it takes too long. */
const offsetsWithinMs = 4_000;

/**
 * Shares out the tasks of an application, in the leader.
 * @param onUnknown the ends of the changelogs could not be asked for: copies count as empty then, so tasks with state stay where they run
 */
export async function shareOut(
  tasks: readonly TaskInputs[],
  members: readonly Member[],
  kafka: Pick<KafkaPort, 'earliestOffsets' | 'endOffsets'>,
  options: SharingOptions,
  onUnknown: (error: unknown) => void,
): Promise<ReadonlyMap<string, MemberShare>> {
  const logs = await logsOf(tasks, kafka).catch((error: unknown) => {
    onUnknown(error);
    return null;
  });
  const sharing = members.map((member): SharingMember => {
    const { processId, capacity, running, positions } = reportOf(member);
    const owned = new Set(member.owned.map(partitionName));
    const complete = new Set(running);
    return {
      memberId: member.memberId,
      name: member.groupInstanceId ?? member.memberId,
      processId,
      capacity,
      owned: new Set(
        tasks.filter((task) => owned.has(partitionName(task.partitions[0] ?? nowhere))).map((task) => task.taskId),
      ),
      lag: (taskId) => {
        if (complete.has(taskId)) return 0;
        const log = logs?.get(taskId);
        if (log === undefined) return Number.POSITIVE_INFINITY;
        const whole = log.end - log.start;
        const lag = log.end - (positions[taskId] ?? 0);
        return lag < 0 ? whole : Math.min(lag, whole); // ahead of the log: it was of another one
      },
    };
  });
  const shared = tasks.map(({ taskId, changelogs }) => ({ taskId, stateful: changelogs.length > 0 }));
  const shares = shareTasks(shared, sharing, options);
  return new Map(
    [...shares].map(([memberId, { active, standby, warmup }]) => {
      const told: StandbyShare = { standby, warmup };
      const partitions = tasks.filter((task) => active.includes(task.taskId)).flatMap((task) => task.partitions);
      return [memberId, { partitions, userData: JSON.stringify(told) }];
    }),
  );
}

const nowhere: TopicPartition = { topic: '', partition: -1 };

/** Sums of the first and of the next offsets of the changelogs of each task. */
async function logsOf(
  tasks: readonly TaskInputs[],
  kafka: Pick<KafkaPort, 'earliestOffsets' | 'endOffsets'>,
): Promise<ReadonlyMap<string, { readonly start: number; readonly end: number }>> {
  const changelogs = tasks.flatMap((task) => task.changelogs);
  if (changelogs.length === 0) return new Map();
  const giveUp = new AbortController();
  const tooLong = sleep(offsetsWithinMs, undefined, { signal: giveUp.signal }).then(() => {
    throw new Error(`no answer within ${offsetsWithinMs} ms`);
  });
  try {
    const asked = Promise.all([kafka.earliestOffsets(changelogs), kafka.endOffsets(changelogs)]);
    const [starts, ends] = await Promise.race([asked, tooLong]);
    const sum = (of: TaskInputs, offsets: ReadonlyMap<string, number>): number =>
      of.changelogs.reduce((all, one) => all + (offsets.get(partitionName(one)) ?? 0), 0);
    return new Map(tasks.map((task) => [task.taskId, { start: sum(task, starts), end: sum(task, ends) }]));
  } finally {
    giveUp.abort();
    tooLong.catch(() => undefined); // it was given up, or is what was thrown
  }
}
