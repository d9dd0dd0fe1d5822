import type { Fetcher, KafkaPort, TopicPartition } from '@bookstream/streams/kafka/port';
import { partitionName } from '@bookstream/streams/kafka/port';
import type { ApplicationTracing } from '@bookstream/streams/tracing/application-tracing';
import type { BadRecord } from './batch.ts';
import { DefinitionChangedError } from './errors.ts';
import { PartitionFollower, type PartitionStatus } from './partition-follower.ts';
import type { Projection } from './projection.ts';
import type { Checkpoint, Sink } from './sink.ts';

export interface FollowerOptions {
  readonly projection: Projection;
  readonly port: KafkaPort;
  readonly sink: Sink;
  /** A build's number; 'live' follows the pointer from build to build. */
  readonly build: number | 'live';
  readonly onBad: (build: number, bad: readonly BadRecord[]) => Promise<void>;
  /** Told once for each series of failed attempts, which go on: a fault of the brokers, the registry, the database. */
  readonly onError: (error: Error) => void;
  /** Makes one for each partition, for each writes by itself. */
  readonly newTracing?: () => ApplicationTracing;
}

/** @throws DefinitionChangedError – rows of this definition do not fit it: wait until it was rebuilt */
async function liveBuild(sink: Sink, projection: Projection): Promise<number> {
  const live = await sink.live(projection.name);
  const build = (await sink.builds(projection.name)).find((known) => known.build === live);
  if (build === undefined) throw new Error(`${projection.name} has no build yet`);
  if (build.definition !== projection.definition) throw new DefinitionChangedError(projection.name, build.build);
  return build.build;
}

/** Keeps a build up with its topics, for the partitions it is given. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #fetcher: Fetcher;
  readonly #partitions = new Map<string, PartitionFollower>();
  readonly #watchers = new Set<() => void>();

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#fetcher = options.port.fetcher({
      isolation: 'read_committed',
      onBatch: (batch) => this.#partitions.get(partitionName(batch))?.offer(batch),
      onOutOfRange: (partition, position, logStart) =>
        this.#partitions.get(partitionName(partition))?.outOfRange(position, logStart),
      onError: options.onError,
    });
  }

  get status(): readonly PartitionStatus[] {
    return [...this.#partitions.values()].map((partition) => partition.status);
  }

  /** Follows exactly these from now on; resolves when what was left has been let go. */
  async follow(partitions: readonly TopicPartition[]): Promise<void> {
    const wanted = new Map(partitions.map((partition) => [partitionName(partition), partition]));
    const left = [...this.#partitions].filter(([name]) => !wanted.has(name));
    for (const [name] of left) this.#partitions.delete(name);
    await Promise.all(left.map(([, partition]) => partition.close()));
    const { projection, sink, build, onBad, newTracing } = this.#options;
    for (const [name, { topic, partition }] of wanted) {
      if (this.#partitions.has(name)) continue;
      const follower = new PartitionFollower({
        projection,
        topic,
        partition,
        sink,
        fetcher: this.#fetcher,
        build: build === 'live' ? () => liveBuild(sink, projection) : async () => build,
        whileLive: build === 'live',
        onBad,
        onError: this.#options.onError,
        ...(newTracing && { tracing: newTracing() }),
        onMoved: () => {
          for (const watcher of this.#watchers) watcher();
        },
      });
      this.#partitions.set(name, follower);
    }
  }

  /** Resolves when everything before `targets` has been folded and written. @throws the signal's reason */
  async reached(targets: readonly Checkpoint[], signal?: AbortSignal): Promise<void> {
    const missing = () => targets.some((target) => !this.#passed(target));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const watch = () => {
      if (!missing()) resolve();
    };
    const abort = () => reject(signal?.reason);
    this.#watchers.add(watch);
    signal?.addEventListener('abort', abort);
    try {
      signal?.throwIfAborted();
      watch();
      await promise;
    } finally {
      this.#watchers.delete(watch);
      signal?.removeEventListener('abort', abort);
    }
  }

  #passed({ topic, partition, nextOffset }: Checkpoint): boolean {
    const status = this.#partitions.get(partitionName({ topic, partition }))?.status;
    return status !== undefined && status.state === 'FOLLOWING' && status.nextOffset >= nextOffset;
  }

  async close(): Promise<void> {
    await this.follow([]);
    await this.#fetcher.close();
  }
}
