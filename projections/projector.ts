import type { Assignment, KafkaPort, Member, Membership, TopicPartition } from '@bookstream/streams/kafka/port';
import { partitionName } from '@bookstream/streams/kafka/port';
import { ApplicationTracing } from '@bookstream/streams/tracing/application-tracing';
import type { TracingOptions } from '@bookstream/streams/tracing/tracer';
import { DeadLetters } from './dead-letters.ts';
import { Follower } from './follower.ts';
import type { PartitionStatus } from './partition-follower.ts';
import { type Projection, topicsOf } from './projection.ts';
import type { Sink } from './sink.ts';

export interface ProjectorOptions {
  readonly projection: Projection;
  readonly port: KafkaPort;
  readonly sink: Sink;
  /** Unique among the running processes, the same after a restart. */
  readonly instanceId: string;
  readonly onError?: (error: Error) => void;
  /** Spans for records that are sampled, in their traces, as an application of the engine makes them. */
  readonly tracing?: TracingOptions;
}

export const groupOf = (projection: string): string => `bookstream-projection-${projection}`;

/** Keeps a projection's live build up with its topics; several instances share the partitions as a consumer group does. */
export class Projector {
  readonly #options: ProjectorOptions;
  readonly #deadLetters: DeadLetters;
  readonly #follower: Follower;
  readonly #onError: (error: Error) => void;
  #membership: Membership | null = null;
  /** Assignments are taken up one after another. */
  #settling: Promise<void> = Promise.resolve();
  #lost: NodeJS.Timeout | null = null;
  #closed = false;

  private constructor(options: ProjectorOptions) {
    this.#options = options;
    this.#onError = options.onError ?? (() => undefined);
    this.#deadLetters = new DeadLetters(options.port);
    const { tracing, ...followed } = options;
    this.#follower = new Follower({
      ...followed,
      build: 'live',
      onBad: (build, bad) => this.#deadLetters.send(options.projection.name, build, bad),
      onError: this.#onError,
      ...(tracing && { newTracing: () => new ApplicationTracing(groupOf(options.projection.name), tracing) }),
    });
  }

  /** Lays out build 1 where there is none, and joins the group. A live build of another definition is waited for until it was rebuilt. */
  static async start(options: ProjectorOptions): Promise<Projector> {
    await options.sink.prepare(options.projection);
    const projector = new Projector(options);
    await projector.#join();
    return projector;
  }

  get projection(): Projection {
    return this.#options.projection;
  }

  /** Of the partitions that this instance has. */
  get status(): readonly PartitionStatus[] {
    return this.#follower.status;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#lost !== null) clearTimeout(this.#lost);
    await this.#membership?.leave({ forget: true });
    await this.#settling;
    await this.#follower.close();
    await this.#deadLetters.close();
  }

  async #join(): Promise<void> {
    const { projection, port, instanceId } = this.#options;
    const topics = topicsOf(projection).map((topic) => topic.name);
    const counts = await port.partitionCounts(topics);
    const missing = topics.filter((topic) => !counts.has(topic));
    if (missing.length > 0) {
      throw new Error(
        `${projection.name}: there is no ${missing.join(', ')}; nothing is followed. Cure: bookstream setup`,
      );
    }
    const partitions = topics.flatMap((topic) =>
      Array.from({ length: counts.get(topic) ?? 0 }, (_, partition) => ({ topic, partition })),
    );
    this.#membership = await port.join({
      groupId: groupOf(projection.name),
      groupInstanceId: instanceId,
      topics,
      userData: () => new Uint8Array(),
      assign: (members) =>
        new Map([...shareOut(partitions, members)].map(([id, share]) => [id, { partitions: share }])),
      onRevoking: () => this.#settle([]),
      onAssigned: (assignment: Assignment) => void this.#settle(assignment.partitions),
      onLost: (error) => this.#rejoin(error),
    });
  }

  #settle(partitions: readonly TopicPartition[]): Promise<void> {
    this.#settling = this.#settling.then(() => this.#follower.follow(this.#closed ? [] : partitions));
    return this.#settling;
  }

  #rejoin(error: Error): void {
    this.#onError(error);
    void this.#settle([]);
    if (this.#closed) return;
    this.#lost = setTimeout(() => {
      this.#join().catch((fault: Error) => this.#rejoin(fault));
    }, 1_000);
  }
}

/** Every partition to one member, as evenly as may be; who has one keeps it. */
export function shareOut(
  partitions: readonly TopicPartition[],
  members: readonly Member[],
): ReadonlyMap<string, readonly TopicPartition[]> {
  const shares = new Map(members.map((member): [string, TopicPartition[]] => [member.memberId, []]));
  const most = Math.ceil(partitions.length / Math.max(1, members.length));
  const owners = new Map(
    members.flatMap((member) => member.owned.map((owned) => [partitionName(owned), member.memberId])),
  );
  const free = partitions.filter((partition) => {
    const share = shares.get(owners.get(partitionName(partition)) ?? '');
    if (share === undefined || share.length >= most) return true;
    share.push(partition);
    return false;
  });
  for (const partition of free) {
    const [share] = [...shares.values()].sort((a, b) => a.length - b.length);
    share?.push(partition);
  }
  return shares;
}
