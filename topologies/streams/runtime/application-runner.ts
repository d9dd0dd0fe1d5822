import { BehaviorSubject, filter, firstValueFrom, Subject } from 'rxjs';
import { ProduceRefusalError } from '../kafka/errors.ts';
import type { KafkaPort } from '../kafka/port.ts';
import { ApplicationMetrics } from '../metrics/application-metrics.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import type { Topology } from '../plan/topology.ts';
import { StoreChanges } from '../query/store-changes.ts';
import type { StateFolder } from '../state/state-folder.ts';
import type { ApplicationTracing } from '../tracing/application-tracing.ts';
import { ApplicationRun } from './application-run.ts';
import type { FailureHandler, FailureHandling, ProductionHandler } from './failure-handling.ts';
import type { LocalState } from './local-state.ts';
import { type Log, messageOf } from './log.ts';
import { PartitionCounts } from './partition-counts.ts';
import { ProductionLimits } from './production-limits.ts';
import type { RestoreProgress } from './restore-progress.ts';
import type { SharingOptions } from './share-tasks.ts';
import type { TaskFolders } from './task-storages.ts';
import type { ChangeListener } from './task-stores.ts';

export type ApplicationState = 'CREATED' | 'REBALANCING' | 'RESTORING' | 'RUNNING' | 'PAUSED' | 'ERROR' | 'CLOSED';
export type ProcessingGuarantee = 'exactly_once' | 'at_least_once';

export interface RunnerOptions extends SharingOptions {
  readonly applicationId: string;
  readonly topology: Topology;
  readonly kafka: KafkaPort;
  readonly state: TaskFolders & Partial<Pick<StateFolder, 'lastKnown'>>;
  readonly instanceId: string;
  /** The same for instances that fail together. */
  readonly processId: string;
  readonly guarantee: ProcessingGuarantee;
  readonly maxTaskIdleMs: number;
  readonly onMalformed: FailureHandling;
  readonly onFailure: FailureHandler;
  readonly onProductionError: ProductionHandler;
  readonly log: Log;
  /** Of this instance, relative to the others'. */
  readonly capacity: number;
  readonly probingRebalanceIntervalMs: number;
  readonly stateCleanupDelayMs: number;
  readonly tracing?: ApplicationTracing;
}

/** With what outlives its runs. */
export interface RunOptions extends RunnerOptions {
  readonly changes: ChangeListener;
  readonly metrics: ApplicationMetrics;
}

const firstBackoffMs = 100;
const lastBackoffMs = 10_000;
/** A run that lasted so long had begun well: the next fault is a new one. */
const steadyMs = 30_000;

/**
 * One application on one instance: its place in the group, its tasks, and the cycle fetch → process → commit. Any error it cannot go on from
 * ends the run; the next one begins at what was committed, after a pause that grows.
 */
export class ApplicationRunner {
  readonly state$ = new BehaviorSubject<ApplicationState>('CREATED');
  readonly applicationId: string;
  readonly restore$ = new Subject<RestoreProgress>();
  /** What its tasks commit, for those who look. */
  readonly changes = new StoreChanges();
  readonly metrics: ApplicationMetrics;
  readonly #options: RunOptions;
  readonly #plan: ApplicationPlan;
  readonly #counts = new PartitionCounts();
  readonly #limits = new ProductionLimits();
  #run: ApplicationRun | null = null;
  #paused = false;
  #closed = false;
  #restart: NodeJS.Timeout | undefined;
  #backoffMs = firstBackoffMs;
  #runningSince = Number.POSITIVE_INFINITY;
  #starting: Promise<void> = Promise.resolve();

  constructor(options: RunnerOptions) {
    this.applicationId = options.applicationId;
    this.#plan = options.topology.plan(options.applicationId);
    const stores = this.#plan.subTopologies.flatMap((sub) => sub.stores);
    this.metrics = new ApplicationMetrics(stores.flatMap(({ changelogTopic }) => changelogTopic ?? []));
    this.#options = { ...options, changes: this.changes, metrics: this.metrics };
  }

  /** What it has here, for queries; it never throws. */
  get local(): LocalState {
    const { state, applicationId } = this.#options;
    const run = this.#run;
    return {
      state: this.state$.value,
      generationId: run?.generationId ?? -1,
      taskIds: run?.tasks.ids ?? [],
      lags: run?.tasks.lags ?? [],
      parked: run?.tasks.parked ?? [],
      globals: run?.globals ?? null,
      task: (id) => run?.tasks.local(id) ?? null,
      look: (id, read) => {
        const open = run?.storageOf(id) ?? null;
        if (open !== null) return read(open);
        const left = state.lastKnown?.(applicationId, id) ?? null;
        if (left === null) return null;
        try {
          return read(left);
        } finally {
          void left.close();
        }
      },
      partitionsOf: (topic) => this.#counts.of(topic),
    };
  }

  /**
   * Resolves when it runs, or is paused: joined, its tasks restored. A run that fails in between begins again, and this goes on waiting.
   * @throws what kept it from joining: a missing topic, an old broker; or that it was closed meanwhile
   */
  async start(): Promise<void> {
    await this.#begin().catch((error: unknown) => {
      if (this.#run !== null) throw error; // else it has failed on the way, and begins again
    });
    const settled = this.state$.pipe(
      filter((state) => state === 'RUNNING' || state === 'PAUSED' || state === 'CLOSED'),
    );
    if ((await firstValueFrom(settled)) === 'CLOSED')
      throw new Error(`${this.#options.applicationId} was closed before it ran`);
  }

  async #begin(): Promise<void> {
    this.#runningSince = Number.POSITIVE_INFINITY;
    const onFailed = (error: unknown): void => this.#failed(run, error);
    const run: ApplicationRun = new ApplicationRun(
      this.#options,
      this.#plan,
      { counts: this.#counts, limits: this.#limits },
      this,
      onFailed,
    );
    this.#run = run;
    await run.start();
    this.#runningSince = performance.now();
  }

  #failed(run: ApplicationRun, error: unknown): void {
    const { log, applicationId } = this.#options;
    if (this.#closed) {
      const text = `${applicationId} was closed with work uncommitted, which comes again: ${messageOf(error)}`;
      log('warn', 'close-failed', text, { error });
      return;
    }
    if (this.#run !== run) return;
    this.#run = null;
    this.#learnFrom(error);
    this.state$.next('ERROR');
    if (performance.now() - this.#runningSince > steadyMs) this.#backoffMs = firstBackoffMs;
    const waitMs = this.#backoffMs;
    this.#backoffMs = Math.min(waitMs * 2, lastBackoffMs);
    log(
      'error',
      'application-failed',
      `${applicationId} stopped and starts again in ${waitMs} ms: ${messageOf(error)}`,
      { error },
    );
    this.#starting = run.close(true);
    this.#restart = setTimeout(() => {
      this.#starting = this.#starting
        .then(() => (this.#closed ? undefined : this.#begin()))
        .catch((again: unknown) => {
          if (this.#run !== null) this.#failed(this.#run, again);
        });
    }, waitMs);
  }

  /** What a broker has refused is a production error of the next run before it is sent: nobody else knows which record is at fault. */
  #learnFrom(error: unknown): void {
    for (let cause = error; cause instanceof Error; cause = cause.cause)
      if (cause instanceof ProduceRefusalError) this.#limits.learn(cause, this.#options.onProductionError !== 'fail');
  }

  /** The next run begins paused too. */
  get paused(): boolean {
    return this.#paused;
  }

  pause(): void {
    this.#paused = true;
    this.#run?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#run?.resume();
  }

  /** Of a close that takes too long, and goes on without anybody waiting for it. @returns false: it was closed already */
  abandon(): boolean {
    if (this.state$.value === 'CLOSED') return false;
    this.#run?.abandon();
    this.state$.next('ERROR');
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    await this.#run?.close(false);
    await this.#starting.catch(() => undefined); // told when it happened
    this.state$.next('CLOSED');
    this.restore$.complete();
  }
}
