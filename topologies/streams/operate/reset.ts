import { StreamsError } from '../errors.ts';
import type { AdminPort, CommittedOffset, GroupDescription, KafkaPort } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import { applicationFolders, removeApplicationState } from '../state/state-folder.ts';
import { type InputFrom, type InternalTopic, inputsOf, internalTopicsOf, outputsOf } from './application-topics.ts';

export interface ResetOptions {
  /** The workers' `stateDir`, if it is on this machine: local state of the application is looked for in it. */
  readonly stateDir?: string;
  /** Topics with the application's name that its topology does not name any more go as well. Default false. */
  readonly withOrphans?: boolean;
  /** See `internalTopicsOf`. */
  readonly otherApplications?: readonly string[];
}

/** What a reset deletes, and what happens then. */
export interface ResetPlan {
  readonly applicationId: string;
  /** Who keeps it from being done. */
  readonly members: GroupDescription['members'];
  readonly topics: readonly InternalTopic[];
  /** With the group they are gone. */
  readonly offsets: readonly CommittedOffset[];
  /** Folders with local state. */
  readonly folders: readonly string[];
  /** Is read again, from where the topology says. */
  readonly inputs: readonly { readonly topic: string; readonly from: InputFrom }[];
  /** Gets again what the inputs lead to. */
  readonly outputs: readonly string[];
}

/** The application still has members, or they have left less than a session ago; nothing was deleted. */
export class ApplicationRunsError extends StreamsError {
  readonly code = 'APPLICATION_RUNS';
  override readonly retriable = true;
  readonly members: GroupDescription['members'];

  constructor(applicationId: string, members: GroupDescription['members']) {
    const names = members.map(({ groupInstanceId, memberId }) => groupInstanceId ?? memberId).join(', ');
    super(
      `${applicationId} has members (${names}); nothing was deleted. Stop all that run it; the place of one that has ended is kept until its ` +
        'session is over, 10 s by default.',
    );
    this.members = members;
  }
}

/** Looks what `resetApplication` would do, and does nothing. */
export async function planReset(
  kafka: KafkaPort & AdminPort,
  plan: ApplicationPlan,
  { stateDir, withOrphans = false, otherApplications = [] }: ResetOptions = {},
): Promise<ResetPlan> {
  const { applicationId } = plan;
  const [group, existing] = await Promise.all([kafka.describeGroup(applicationId), kafka.listTopics()]);
  const topics = internalTopicsOf(plan, existing, otherApplications).filter(
    ({ exists, isOrphan }) => exists && (withOrphans || !isOrphan),
  );
  const sources = plan.subTopologies.flatMap((sub) => sub.sources.map(({ topic }) => topic));
  const counts = await kafka.partitionCounts([...new Set(sources)]);
  const partitions = [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  return {
    applicationId,
    members: group.members,
    topics,
    offsets: await kafka.committedOffsets(applicationId, partitions, { requireStable: false }),
    folders: stateDir === undefined ? [] : applicationFolders(stateDir, applicationId).map(({ folder }) => folder),
    inputs: inputsOf(plan),
    outputs: outputsOf(plan),
  };
}

/**
 * Makes an application begin anew, as `kafka-streams-application-reset` and `KafkaStreams#cleanUp` do: deletes its local state in `stateDir`, its
 * group with all committed offsets, and its internal topics. Its inputs and outputs stay as they are. What was parked is gone. State on other
 * machines must be deleted there: rows that outlive their changelog are wrong. Broken off in the middle it must be done again before the
 * application starts.
 * @returns what was deleted
 * @throws ApplicationRunsError, StateFolderInUseError – nothing was deleted
 */
export async function resetApplication(
  kafka: KafkaPort & AdminPort,
  plan: ApplicationPlan,
  options: ResetOptions = {},
): Promise<ResetPlan> {
  const reset = await planReset(kafka, plan, options);
  if (reset.members.length > 0) throw new ApplicationRunsError(reset.applicationId, reset.members);
  if (options.stateDir !== undefined) removeApplicationState(options.stateDir, reset.applicationId);
  await kafka.deleteGroup(reset.applicationId);
  await kafka.deleteTopics(reset.topics.map(({ name }) => name));
  return reset;
}
