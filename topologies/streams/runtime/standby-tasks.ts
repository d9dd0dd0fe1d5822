import type { FetchedBatch, Fetcher, KafkaPort } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { Topology } from '../plan/topology.ts';
import { LastRead } from './last-read.ts';
import { type Log, messageOf } from './log.ts';
import type { TaskStorages } from './task-storages.ts';
import { TaskStores } from './task-stores.ts';

export interface StandbyTasksOptions {
  readonly applicationId: string;
  readonly topology: Topology;
  readonly kafka: Pick<KafkaPort, 'fetcher'>;
  readonly storages: TaskStorages;
  readonly log: Log;
  /** Changelog records that a warm-up may lack when its task moves to it. */
  readonly acceptableRecoveryLag: number;
  /** Every warm-up of the last `take` is caught up. Told once. */
  readonly onWarm: () => void;
  readonly onFailed: (error: unknown) => void;
}

interface Following {
  readonly taskId: string;
  readonly store: string;
  readonly stores: TaskStores;
  position: number;
  /** Null: not told yet. */
  lag: number | null;
}

/**
 * Keeps up the state of tasks that others work on, committed records only, so that a task that comes here finds its state nearly there; but for
 * stores that lie in the memory of the task itself. The storages are not its own: whoever takes a task over goes on with the same one.
 */
export class StandbyTasks {
  readonly #options: StandbyTasksOptions;
  readonly #tasks = new Map<string, TaskStores>();
  /** By changelog partition. */
  readonly #following = new Map<string, Following>();
  #warmingUp = new Set<string>();
  #fetcher: Fetcher | null = null;

  constructor(options: StandbyTasksOptions) {
    this.#options = options;
  }

  /** Gives up the standbys that are not among `taskIds`, at once, and begins with those that are new. */
  take(taskIds: readonly string[], warmups: readonly string[]): void {
    const wanted = new Set(taskIds);
    for (const taskId of [...this.#tasks.keys()]) if (!wanted.has(taskId)) this.#drop(taskId);
    for (const taskId of taskIds) if (!this.#tasks.has(taskId)) this.#begin(taskId);
    this.#warmingUp = new Set(warmups);
    this.#tellWarm();
  }

  #begin(taskId: string): void {
    const { applicationId, topology, storages } = this.#options;
    const [subId, partition = 0] = taskId.split('_').map(Number);
    const sub = topology.subTopologies.find((one) => one.id === subId);
    if (sub === undefined) return;
    const storage = storages.open(taskId);
    const stores = new TaskStores({
      applicationId,
      taskId,
      partition,
      builders: sub.stores.filter((builder) => !('openSelfKept' in builder)),
      storage,
      recordTime: () => 0,
      lastRead: new LastRead(),
    });
    this.#tasks.set(taskId, stores);
    for (const changelog of stores.changelogs) {
      const { store, position } = changelog;
      this.#following.set(partitionName(changelog), { taskId, store, stores, position, lag: null });
      this.#reader().assign(changelog, position);
    }
  }

  #drop(taskId: string): void {
    for (const changelog of this.#tasks.get(taskId)?.changelogs ?? []) {
      this.#following.delete(partitionName(changelog));
      this.#reader().unassign(changelog);
    }
    this.#tasks.delete(taskId);
  }

  #reader(): Fetcher {
    this.#fetcher ??= this.#options.kafka.fetcher({
      isolation: 'read_committed',
      onBatch: (batch) => this.#took(batch),
      onOutOfRange: (partition, _position, logStartOffset) => {
        const one = this.#following.get(partitionName(partition));
        if (one === undefined) return;
        one.stores.wipe(one.store); // what was deleted in the part that is gone would stay for ever
        one.lag = null;
        one.position = logStartOffset;
        this.#fetcher?.assign(partition, logStartOffset);
      },
      onError: (error) => this.#options.log('warn', 'fetch-failed', messageOf(error), { error }),
    });
    return this.#fetcher;
  }

  #took(batch: FetchedBatch): void {
    const one = this.#following.get(partitionName(batch));
    if (one === undefined) return;
    try {
      if (batch.nextOffset !== one.position) one.stores.restore(one.store, batch.records, batch.nextOffset);
      one.position = batch.nextOffset;
      one.lag = Math.max(0, batch.highWatermark - batch.nextOffset);
    } catch (error) {
      this.#options.onFailed(error);
      return;
    }
    if (this.#warmingUp.has(one.taskId)) this.#tellWarm();
  }

  #tellWarm(): void {
    if (this.#warmingUp.size === 0) return;
    const lags = new Map<string, number>();
    for (const { taskId, lag } of this.#following.values())
      lags.set(taskId, (lags.get(taskId) ?? 0) + (lag ?? Number.POSITIVE_INFINITY));
    const { acceptableRecoveryLag, onWarm } = this.#options;
    for (const taskId of this.#warmingUp) if ((lags.get(taskId) ?? 0) > acceptableRecoveryLag) return;
    this.#warmingUp.clear();
    onWarm();
  }

  /** The storages stay open. */
  async close(): Promise<void> {
    this.#following.clear();
    this.#tasks.clear();
    this.#warmingUp.clear();
    await this.#fetcher?.close();
  }
}
