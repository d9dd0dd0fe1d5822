import type { BehaviorSubject, Subject } from 'rxjs';
import type { Assignment, GroupMetadata, Membership, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { RebalanceReason } from '../metrics/application-metrics.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import type { TaskStorage } from '../state/state-store.ts';
import type { ApplicationRunner, ApplicationState, RunOptions } from './application-runner.ts';
import { AssignedTasks } from './assigned-tasks.ts';
import { CommitCycle } from './commit-cycle.ts';
import { type Committer, openCommitter } from './committer.ts';
import { GlobalFeed } from './global-feed.ts';
import { GlobalTables } from './global-tables.ts';
import { GroupDialogue } from './group-dialogue.ts';
import { messageOf } from './log.ts';
import type { PartitionCounts } from './partition-counts.ts';
import type { ProductionLimits } from './production-limits.ts';
import { RepartitionPurge } from './repartition-purge.ts';
import { RestoreMeter, type RestoreProgress } from './restore-progress.ts';
import { StandbyTasks } from './standby-tasks.ts';
import { StateCleaner } from './state-cleaner.ts';
import { TaskFeed } from './task-feed.ts';
import { TaskStorages } from './task-storages.ts';
import { howToPass } from './unreadable-input.ts';

/** What is known of the application's topics; it outlives a run. */
export interface KnownTopics {
  readonly counts: PartitionCounts;
  readonly limits: ProductionLimits;
}

/**
 * One application on one instance from joining its group to leaving it; used once. Puts together what fetches (`TaskFeed`, `GlobalFeed`), what
 * the group assigns (`AssignedTasks`), and what processes and commits (`CommitCycle`). The first error of any of them ends it.
 */
export class ApplicationRun {
  readonly #options: RunOptions;
  readonly #plan: ApplicationPlan;
  readonly #counts: PartitionCounts;
  readonly #limits: ProductionLimits;
  readonly #state$: BehaviorSubject<ApplicationState>;
  readonly #restore$: Subject<RestoreProgress>;
  readonly #onFailed: (error: unknown) => void;
  readonly #feed: TaskFeed;
  readonly #storages: TaskStorages;
  readonly #tasks: AssignedTasks;
  readonly #standbys: StandbyTasks;
  readonly #cleaner: StateCleaner;
  readonly #dialogue: GroupDialogue;
  readonly #cycle: CommitCycle;
  /** Start, assignments and restores stop where they are: the run is being closed. */
  readonly #ending = new AbortController();
  /** Of the last assignment: ended by the next revocation. */
  #restoring = new AbortController();
  #globalStorage: TaskStorage | null = null;
  #globals: GlobalTables | null = null;
  #globalFeed: GlobalFeed | null = null;
  #committer: Committer | null = null;
  #membership: Membership | null = null;
  #paused = false;
  #starting: Promise<void> = Promise.resolve();
  #assigning: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;

  /** @param onFailed told once, of what it cannot go on from; `close` is still to be called */
  constructor(
    options: RunOptions,
    plan: ApplicationPlan,
    { counts, limits }: KnownTopics,
    { state$, restore$, paused }: Pick<ApplicationRunner, 'state$' | 'restore$' | 'paused'>,
    onFailed: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#plan = plan;
    this.#counts = counts;
    this.#limits = limits;
    this.#state$ = state$;
    this.#restore$ = restore$;
    this.#onFailed = onFailed;
    const { kafka, guarantee, log, applicationId, topology } = options;
    this.#feed = new TaskFeed({
      applicationId,
      kafka,
      isolation: guarantee === 'exactly_once' ? 'read_committed' : 'read_uncommitted',
      log,
      ending: this.#ending.signal,
      onTaken: () => this.#cycle.schedule(),
      onWaiting: (partition, error) => this.#waits(partition, error),
      onFailed: (error) => this.#fail(error),
    });
    this.#storages = new TaskStorages(applicationId, plan, options.state);
    this.#cleaner = new StateCleaner({
      applicationId,
      storages: this.#storages,
      delayMs: options.stateCleanupDelayMs,
      log,
    });
    this.#tasks = new AssignedTasks({
      runner: options,
      plan,
      counts,
      limits,
      feed: this.#feed,
      storages: this.#storages,
      globalStores: () => this.#globals?.stores ?? new Map(),
      onReady: () => this.#cycle.schedule(),
      onRestoring: () => {
        state$.next('RESTORING');
        this.#cycle.resume(); // those that stay go on meanwhile
      },
      onRestore: (progress) => restore$.next(progress),
    });
    this.#dialogue = new GroupDialogue({
      runner: options,
      plan,
      counts,
      storages: this.#storages,
      running: () => this.#tasks.running,
      rejoin: () => this.#membership?.rejoin(),
    });
    this.#standbys = new StandbyTasks({
      applicationId,
      topology,
      kafka,
      storages: this.#storages,
      log,
      acceptableRecoveryLag: options.acceptableRecoveryLag,
      onWarm: () => this.#dialogue.warm(),
      onFailed: (error) => this.#fail(error),
    });
    const repartitions = plan.subTopologies.flatMap((sub) => sub.sources.filter((source) => source.internal));
    const purge = new RepartitionPurge(kafka, new Set(repartitions.map(({ topic }) => topic)), (error) =>
      log('warn', 'purge-failed', messageOf(error), { error }),
    );
    this.#cycle = new CommitCycle({
      tasks: () => this.#tasks.all,
      write: (transaction) =>
        (this.#committer as Committer).commit({ ...transaction, maxBytesOf: (topic) => limits.maxBytesOf(topic) }), // tasks come after it
      metrics: options.metrics,
      ...(options.tracing && { tracing: options.tracing }),
      onSlice: () => this.#feed.resumeDrained(),
      onCommitted: (offsets) => purge.committed(offsets, performance.now()),
      onUnreadable: (task, error) => {
        const { input } = error;
        const offset = task.position(input);
        const text = `${applicationId} task ${task.id} stands still at ${partitionName(input)}@${offset}, and all other tasks go on: ${error.message}. ${howToPass(applicationId, input, offset + 1)}`;
        log('error', 'record-unreadable', text, { ...input, offset, taskId: task.id, error });
      },
      onFailed: (error) => this.#fail(error),
    });
    if (paused) this.pause();
  }

  get tasks(): Pick<AssignedTasks, 'ids' | 'local' | 'lags' | 'parked'> {
    return this.#tasks;
  }

  /** Of a task or a standby that is here. */
  storageOf(taskId: string): TaskStorage | null {
    return this.#storages.get(taskId);
  }

  get generationId(): number {
    return this.#cycle.group?.generationId ?? -1;
  }

  get globals(): GlobalTables | null {
    return this.#globals;
  }

  /** Resolves when its place in the group is taken and its first tasks run. @throws also when it is closed meanwhile */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { kafka, guarantee, applicationId, instanceId, onFailure, onProductionError, log } = this.#options;
    const { signal } = this.#ending;
    await kafka.check(guarantee);
    await this.#counts.load(this.#plan, kafka, {
      internalDeadLetters: onFailure !== 'fail' || (onProductionError !== 'fail' && onProductionError !== 'continue'),
    });
    signal.throwIfAborted();
    await this.#limits.load(this.#counts.topics, kafka, log);
    signal.throwIfAborted();
    const partitionsOf = (topic: string): number => this.#counts.of(topic);
    this.#committer = await openCommitter(kafka, guarantee, prefixOf(applicationId, instanceId));
    signal.throwIfAborted();
    await this.#startGlobals(partitionsOf);
    signal.throwIfAborted();
    this.#feed.open();
    this.#state$.next('REBALANCING');
    await this.#storages.look();
    signal.throwIfAborted();
    const topics = [...new Set(this.#plan.subTopologies.flatMap((sub) => sub.sources.map((source) => source.topic)))];
    this.#membership = await kafka.join({
      groupId: applicationId,
      groupInstanceId: instanceId,
      topics,
      agreement: this.#plan.hash,
      onWaiting: (others) => this.#dialogue.waitsFor(others),
      signal,
      userData: () => this.#dialogue.report(),
      assign: (members) => this.#dialogue.shareOut(members),
      onRevoking: () => this.#revoking(),
      onAssigned: (assignment) => {
        this.#assigning = this.#assigning
          .then(() => this.#assigned(assignment))
          .catch((error: unknown) => {
            if (!signal.aborted) this.#fail(error); // else it was told to stop
          });
      },
      onLost: (error) => this.#fail(error),
      onSilent: (error) => this.#options.log('warn', 'group-silent', error.message, { error }),
      sessionTimeoutMs: 10_000,
    });
    await this.#assigning;
  }

  async #startGlobals(partitionsOf: (topic: string) => number): Promise<void> {
    const { kafka, applicationId, topology, state, log } = this.#options;
    if (topology.globalTables.length === 0) return;
    this.#globalStorage = state.storage(applicationId, 'global');
    const tables = new GlobalTables(applicationId, topology.globalTables, this.#globalStorage, this.#limits);
    this.#globals = tables;
    const meter = new RestoreMeter(applicationId, (progress) => this.#restore$.next(progress));
    this.#globalFeed = new GlobalFeed({
      kafka,
      tables,
      partitionsOf,
      log,
      onWaiting: (partition, error) => this.#waits(partition, error),
      onFailed: (error) => this.#fail(error),
      onStep: (step) => meter.step(step),
    });
    await this.#globalFeed.start(this.#ending.signal);
  }

  async #revoking(): Promise<void> {
    // The group waits for this member, and puts it out if that takes too long; what was restored stays restored.
    this.#restoring.abort(new Error('the group moves on'));
    await this.#assigning; // what failed there has failed the run
    this.#cleaner.stop();
    this.#cycle.stop();
    if (!this.#ending.signal.aborted) this.#state$.next('REBALANCING');
    await this.#cycle.commitAll();
  }

  async #assigned(assignment: Assignment): Promise<void> {
    const { signal } = this.#ending;
    if (signal.aborted) return;
    this.#cleaner.stop();
    const { group, departed } = assignment;
    const before = this.#cycle.group;
    this.#cycle.group = group;
    this.#options.metrics.rebalanced(reasonOf(before, group));
    this.#restoring = new AbortController();
    const moving = this.#restoring.signal;
    const { kafka, applicationId } = this.#options;
    const { wanted, standby, warmup } = this.#dialogue.assigned(assignment);
    await Promise.all(departed.map((instance) => kafka.fence(prefixOf(applicationId, instance))));
    // In a generation that was missed others may have worked on the same tasks: their punctuators move no offset that would tell.
    const stayed = before?.memberId === group.memberId && group.generationId <= before.generationId + 1;
    // A storage has one user at a time: tasks and standbys that go let go of it before those that come take it.
    this.#tasks.release(wanted, stayed);
    this.#standbys.take(standby, warmup);
    await this.#storages.keepOnly(new Set([...wanted.map((task) => task.taskId), ...standby]));
    if (!(await this.#tasks.take(wanted, { stayed, ending: signal, moving }))) return;
    signal.throwIfAborted();
    this.#cycle.resume();
    this.#cleaner.start();
    this.#state$.next(this.#paused ? 'PAUSED' : 'RUNNING');
  }

  /** Nothing is fetched or processed until `resume`, and no punctuator runs; the place in the group, restores and global tables go on. */
  pause(): void {
    this.#paused = true;
    this.#cycle.pause();
    this.#feed.pause();
    if (this.#state$.value === 'RUNNING') this.#state$.next('PAUSED');
  }

  resume(): void {
    this.#paused = false;
    this.#feed.resume();
    this.#cycle.goOn();
    if (this.#state$.value === 'PAUSED') this.#state$.next('RUNNING');
  }

  #waits(partition: TopicPartition, error: unknown): void {
    const text = `${partitionName(partition)} waits: ${messageOf(error)}`;
    this.#options.log('warn', 'schema-awaited', text, { error });
  }

  #fail(error: unknown): void {
    if (this.#cycle.ended) return;
    this.#cycle.end();
    this.#ending.abort(error);
    this.#onFailed(error);
  }

  /** Of a close that takes too long: nothing more is committed, and nothing more written to the disk. */
  abandon(): void {
    this.#cycle.abandon();
  }

  /** @param failed true: nothing more is committed */
  close(failed: boolean): Promise<void> {
    this.#closing ??= this.#close(failed);
    return this.#closing;
  }

  async #close(failed: boolean): Promise<void> {
    this.#cleaner.stop();
    if (failed) this.#cycle.end();
    else this.#cycle.stop();
    this.#ending.abort(new Error(`${this.#options.applicationId} was closed`));
    // Whatever they were opening must be there before it can be closed. Both have told of their errors themselves.
    await this.#starting.catch(() => undefined);
    await this.#assigning;
    await this.#cycle.commitAll();
    this.#cycle.end();
    this.#dialogue.close();
    await Promise.all([this.#feed.close(), this.#globalFeed?.close(), this.#standbys.close()]);
    await this.#membership?.leave({ forget: false }).catch(() => undefined); // the session times out by itself
    await this.#committer?.close();
    this.#tasks.closeAll();
    this.#globals = null; // queries may still ask
    await this.#storages.closeAll();
    await this.#globalStorage?.close();
  }
}

const reasonOf = (before: GroupMetadata | null, now: GroupMetadata): RebalanceReason => {
  if (before === null) return 'first-join';
  if (before.memberId !== now.memberId) return 'new-member';
  return now.generationId > before.generationId + 1 ? 'missed-generation' : 'group-moved';
};

const prefixOf = (applicationId: string, instanceId: string): string => `${applicationId}/${instanceId}`;
