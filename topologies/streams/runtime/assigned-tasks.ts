import type { CommittedOffset, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { type ApplicationPlan, taskIdOf } from '../plan/application-plan.ts';
import type { SubTopology } from '../plan/topology.ts';
import type { StateStore } from '../state/state-store.ts';
import type { RunOptions } from './application-runner.ts';
import type { TaskInputs } from './assignor.ts';
import { beginnings } from './beginnings.ts';
import type { LocalState, LocalTask } from './local-state.ts';
import { messageOf } from './log.ts';
import type { PartitionCounts } from './partition-counts.ts';
import type { ProductionLimits } from './production-limits.ts';
import { rereadInputs } from './reread.ts';
import { type RestoreStep, restoreTasks } from './restore.ts';
import { RestoreMeter, type RestoreProgress } from './restore-progress.ts';
import { StreamTask } from './stream-task.ts';
import type { TaskFeed } from './task-feed.ts';
import type { TaskStorages } from './task-storages.ts';

export interface AssignedTasksOptions {
  readonly runner: RunOptions;
  readonly plan: ApplicationPlan;
  readonly counts: PartitionCounts;
  readonly limits: ProductionLimits;
  readonly feed: TaskFeed;
  readonly storages: TaskStorages;
  /** Typed stores of the application's global tables. */
  readonly globalStores: () => ReadonlyMap<string, StateStore>;
  /** A task may have become ready without a fetch. */
  readonly onReady: () => void;
  /** Some tasks must be restored before they can go on. */
  readonly onRestoring: () => void;
  readonly onRestore: (progress: RestoreProgress) => void;
}

export interface TakeOptions {
  /** Nobody else can have worked on the tasks that are here already. */
  readonly stayed: boolean;
  /** The run is over. */
  readonly ending: AbortSignal;
  /** The group moves on: it does not wait for a restore. */
  readonly moving: AbortSignal;
}

type Offsets = ReadonlyMap<string, CommittedOffset>;

/** The tasks of this instance, from open to closed: each assignment takes up some and gives up others. Their storages stay open. */
export class AssignedTasks {
  readonly #options: AssignedTasksOptions;
  readonly #tasks = new Map<string, StreamTask>();
  /** Those of them whose state is complete. */
  readonly #running = new Set<string>();

  constructor(options: AssignedTasksOptions) {
    this.#options = options;
  }

  get all(): Iterable<StreamTask> {
    return this.#tasks.values();
  }

  /** Ids of the tasks whose state is complete. */
  get running(): readonly string[] {
    return [...this.#running];
  }

  /** Closes the tasks that are not wanted. @param stayed see `TakeOptions` */
  release(wanted: readonly TaskInputs[], stayed: boolean): void {
    const ids = new Set(stayed ? wanted.map((task) => task.taskId) : []);
    for (const id of [...this.#tasks.keys()]) if (!ids.has(id)) this.#close(id);
  }

  get ids(): readonly string[] {
    return [...this.#tasks.keys()];
  }

  get lags(): LocalState['lags'] {
    return [...this.#tasks.values()].flatMap(({ inputs }) =>
      inputs.flatMap(({ topic, partition }) => {
        const lag = this.#options.feed.lag({ topic, partition });
        return lag === null ? [] : [{ topic, partition, lag }];
      }),
    );
  }

  get parked(): LocalState['parked'] {
    const bySub = new Map<number, number>();
    for (const { subTopology, parked } of this.#tasks.values())
      if (parked !== null) bySub.set(subTopology, (bySub.get(subTopology) ?? 0) + parked);
    return Array.from(bySub, ([subTopology, records]) => ({ subTopology, records }));
  }

  local(id: string): LocalTask | null {
    const task = this.#tasks.get(id);
    if (task === undefined) return null;
    const lags = task.inputs.map((input) => this.#options.feed.lag(input));
    const lag = lags.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0);
    return { running: this.#running.has(id), lag };
  }

  /**
   * Closes the tasks that are not wanted or out of date; opens, restores and starts those that are new, at the committed offsets of their
   * inputs. One call at a time.
   * @returns true: all that are wanted run; false: the group moved on before the new ones were restored, and they are closed again (what was
   *   restored stays restored)
   * @throws the reason of `ending`, or what failed; then `closeAll` closes what is open
   */
  async take(wanted: readonly TaskInputs[], { stayed, ending, moving }: TakeOptions): Promise<boolean> {
    const { kafka, applicationId } = this.#options.runner;
    this.release(wanted, stayed);
    const inputs = wanted.flatMap((task) => task.partitions);
    const committed = await kafka.committedOffsets(applicationId, inputs, { requireStable: true });
    const offsets: Offsets = new Map(committed.map((one) => [partitionName(one), one]));
    this.#closeOutdated(offsets);
    const fresh = wanted.flatMap(({ taskId }) => (this.#tasks.has(taskId) ? [] : this.#open(taskId)));
    if (fresh.length === 0) return true;

    this.#options.onRestoring();
    try {
      await this.#restore(fresh, offsets, AbortSignal.any([ending, moving]));
    } catch (error) {
      if (ending.aborted || !moving.aborted) throw error;
      for (const task of fresh) this.#close(task.id);
      return false;
    } finally {
      this.#options.runner.metrics.restoreEnded();
    }
    const missing = fresh.flatMap((task) => task.inputs).filter((input) => !offsets.has(partitionName(input)));
    const begin = await beginnings(kafka, this.#options.plan, missing);
    ending.throwIfAborted();
    for (const task of fresh) this.#start(task, offsets, begin);
    return true;
  }

  /** A task that stayed while another instance worked on its partitions is out of date. */
  #closeOutdated(offsets: Offsets): void {
    for (const [id, task] of [...this.#tasks]) {
      const moved = task.inputs.some(
        (input) => task.position(input) !== (offsets.get(partitionName(input))?.offset ?? task.position(input)),
      );
      if (moved) this.#close(id);
    }
  }

  #open(id: string): readonly StreamTask[] {
    const { topology } = this.#options.runner;
    const [subId, partition] = id.split('_').map(Number);
    const sub = topology.subTopologies.find((one) => one.id === subId);
    return sub === undefined || partition === undefined ? [] : [this.#openTask(id, sub, partition)];
  }

  #openTask(id: string, sub: SubTopology, partition: number): StreamTask {
    const { runner, counts, limits, globalStores, onReady, storages } = this.#options;
    const { applicationId, maxTaskIdleMs, onMalformed, onFailure, onProductionError, log } = runner;
    const task = new StreamTask({
      applicationId,
      sub,
      partition,
      storage: storages.open(id),
      globalStores: globalStores(),
      partitionsOf: (topic) => counts.ofTarget(topic),
      now: Date.now,
      maxTaskIdleMs,
      onMalformed,
      onFailure,
      onProductionError,
      limits,
      onReady,
      changes: runner.changes,
      ...(runner.tracing && { tracing: runner.tracing }),
      onRedriven: (redrive, taken, left) =>
        log(
          left === 0 ? 'info' : 'warn',
          'redriven',
          `${applicationId} task ${id}: ${taken} records of a parked key were processed, ${left} stay parked`,
          { ...redrive, taken, left },
        ),
      onDropped: (node, reason, record, cause) => {
        runner.metrics.wasDropped(node, reason);
        log(
          cause === undefined ? 'info' : 'warn',
          'record-dropped',
          `${applicationId} ${node}: ${reason}${cause === undefined ? '' : `: ${messageOf(cause)}`}`,
          { ...record, reason },
        );
      },
    });
    this.#tasks.set(id, task);
    return task;
  }

  async #restore(fresh: readonly StreamTask[], offsets: Offsets, signal: AbortSignal): Promise<void> {
    const { kafka, applicationId, guarantee, log, metrics } = this.#options.runner;
    const since = performance.now();
    let records = 0;
    const onProgress = (more: number): void => {
      records += more;
    };
    const meter = new RestoreMeter(applicationId, this.#options.onRestore);
    const onStep = (step: RestoreStep): void => {
      meter.step(step);
      metrics.restoring(step);
    };
    await restoreTasks(kafka, fresh, { signal, onProgress, onStep });
    const isolation = guarantee === 'exactly_once' ? 'read_committed' : 'read_uncommitted';
    await rereadInputs(kafka, fresh, offsets, { signal, onProgress, onStep, isolation });
    const ms = Math.round(performance.now() - since);
    const text = `${applicationId}: ${fresh.length} tasks restored, ${records} records in ${ms} ms`;
    log('info', 'restored', text, { tasks: fresh.map(({ id }) => id), records, ms });
  }

  #start(task: StreamTask, offsets: Offsets, begin: ReadonlyMap<string, number>): void {
    const from = (input: TopicPartition): CommittedOffset => {
      const name = partitionName(input);
      return offsets.get(name) ?? { ...input, offset: begin.get(name) ?? 0, metadata: null };
    };
    task.start(task.inputs.map(from));
    this.#running.add(task.id);
    const sub = this.#options.runner.topology.subTopologies.find(({ id }) => task.id === taskIdOf(id, task.partition));
    for (const { spec } of sub?.stores ?? []) this.#options.runner.changes.begins(spec.name, task.partition);
    for (const input of task.inputs) this.#options.feed.read(input, from(input).offset, task);
  }

  #close(id: string): void {
    const task = this.#tasks.get(id);
    if (task === undefined) return;
    this.#tasks.delete(id);
    this.#running.delete(id);
    for (const input of task.inputs) this.#options.feed.forget(input);
    try {
      task.close();
    } catch (error) {
      this.#options.runner.log('warn', 'close-failed', messageOf(error), { error }); // it is closed all the same
    }
  }

  closeAll(): void {
    for (const id of [...this.#tasks.keys()]) this.#close(id);
  }
}
