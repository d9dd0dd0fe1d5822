import { extname, join } from 'node:path';
import type { ResourceLimits } from 'node:worker_threads';
import { combineLatest, distinctUntilChanged, map, merge, type Observable } from 'rxjs';
import { CloseTimeoutError, InvalidArgumentError } from '../errors.ts';
import type { KafkaConnection } from '../kafka/index.ts';
import type { MetricFamily } from '../metrics/metric-families.ts';
import { pooledFamilies } from '../metrics/pooled-families.ts';
import type { ApplicationQueries } from '../query/application-queries.ts';
import type { QueryAddress } from '../query/directory.ts';
import { queryTokenOf } from '../query/query-token.ts';
import { StateFolder } from '../state/state-folder.ts';
import { type ModuleApplication, moduleUrl } from './application-module.ts';
import type { ApplicationState } from './application-runner.ts';
import type { Log } from './log.ts';
import { PoolQueries } from './pool-queries.ts';
import type { RestoreProgress } from './restore-progress.ts';
import { SupervisedThread } from './supervised-thread.ts';
import type { ThreadSettings } from './thread-messages.ts';
import { chosenOf, type StreamsWorkerOptions, worstOf } from './worker.ts';

/** Those of a StreamsWorker go for each thread; to the queries of others the pool is one instance. */
export interface StreamsPoolOptions
  extends Pick<KafkaConnection, 'bootstrapServers' | 'ssl' | 'sasl'>,
    Pick<StreamsWorkerOptions, 'queryEndpoint' | 'queryDirectory' | 'queryTimeoutMs' | 'queryToken'>,
    ThreadSettings {
  readonly applications: readonly ModuleApplication[];
  /** Threads; each runs all applications, as the instance `<instanceId>-<n>` of their groups. Default 1. */
  readonly workers?: number;
  /** Local state: in here, or in a folder of `instanceId` in here; each thread has a folder in that. One process at a time. */
  readonly stateDir: string;
  /** Stable over restarts: the places in the groups and the transactional ids hang on it. Absent: one is made up once and kept in `stateDir`. */
  readonly instanceId?: string;
  /** Of each thread, in MB. Default: a young generation of 24. */
  readonly resourceLimits?: ResourceLimits;
  /** A thread that is not closed in so long is ended by force. Default 20000. */
  readonly closeTimeoutMs?: number;
  /** Called in this thread with what all of them log; `worker` in the fields is the instance id. */
  readonly log?: Log;
}

/**
 * V8 takes a third of it for each semi-space: 8 MB, which fits a cache. Records wait as bytes, so few objects live long enough for more: on order-flow
 * 12 to 96 MB make no difference.
 */
const youngGenerationMb = 24;

/** A thread that takes longer to tell its metrics is left out: a scrape should not wait for it. */
const metricsTimeoutMs = 2_000;

/** As many StreamsWorkers as `workers` says, each in a thread of its own (node:worker_threads), which is replaced when it fails. */
export class StreamsPool {
  /** As it was given, or as it is kept in `stateDir`. */
  readonly instanceId: string;
  /** State of each application by its id: the worst of its threads'. */
  readonly states$: Observable<ReadonlyMap<string, ApplicationState>>;
  /** The worst of its applications' states. */
  readonly state$: Observable<ApplicationState>;
  /** How far restores have come, store by store. Completes with `close`. */
  readonly restore$: Observable<RestoreProgress>;
  readonly #applicationIds: readonly string[];
  readonly #threads: readonly SupervisedThread[];
  readonly #folder: StateFolder;
  readonly #queries: PoolQueries;
  #paused: ReadonlySet<string> = new Set();

  /**
   * @throws InvalidArgumentError – `workers` is no whole number above 0, `queryToken` no token
   * @throws StateFolderInUseError
   */
  constructor(options: StreamsPoolOptions) {
    const { applications, workers, stateDir, instanceId, resourceLimits, closeTimeoutMs, log, ...rest } = {
      workers: 1,
      closeTimeoutMs: 20_000,
      log: () => {},
      ...options,
    };
    const { bootstrapServers, ssl, sasl, queryEndpoint, queryDirectory, queryTimeoutMs, queryToken, ...settings } =
      rest;
    const token = queryTokenOf(queryToken);
    if (!(Number.isInteger(workers) && workers > 0))
      throw new InvalidArgumentError(`workers is ${workers}, not a whole number above 0; nothing was started`);
    const folder = instanceId === undefined ? stateDir : join(stateDir, instanceId);
    this.#folder = new StateFolder(folder);
    this.instanceId = instanceId ?? this.#folder.workerId();
    const modules = applications.map(({ applicationId, module, data }) => ({
      applicationId,
      url: moduleUrl(module),
      data,
    }));
    this.#threads = Array.from(
      { length: workers },
      (_, index) =>
        new SupervisedThread({
          // Sources here, what was built of them in a tarball.
          program: new URL(`worker-thread${extname(import.meta.url)}`, import.meta.url),
          data: {
            applications: modules,
            connection: { bootstrapServers, ...(ssl && { ssl }), ...(sasl && { sasl }) },
            stateDir: folder,
            instanceId: `${this.instanceId}-${index}`,
            settings: { processId: this.instanceId, ...settings },
          },
          resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb, ...resourceLimits },
          closeTimeoutMs,
          log,
        }),
    );
    this.#queries = new PoolQueries({
      instanceId: this.instanceId,
      applications: modules,
      threads: this.#threads,
      parkDeadLetters: settings.parkDeadLetters ?? false,
      queryEndpoint,
      queryDirectory,
      timeoutMs: queryTimeoutMs ?? 1_000,
      token,
      log,
    });
    const ids = modules.map(({ applicationId }) => applicationId);
    this.#applicationIds = ids;
    this.states$ = combineLatest(this.#threads.map(({ states$ }) => states$)).pipe(
      map((all) => new Map(ids.map((id) => [id, worstOf(all.map((states) => states.get(id) ?? 'CREATED'))]))),
    );
    this.restore$ = merge(...this.#threads.map(({ restore$ }) => restore$));
    this.state$ = this.states$.pipe(
      map((states) => worstOf(states.values())),
      distinctUntilChanged(),
    );
  }

  /**
   * Its stores for looking only, of its threads and of other instances. The first query of an application makes its topology in this thread too,
   * for its serdes; functions that its module gives for the thread are not called.
   * @throws QueryError – there is no such application
   * @throws TopologyError – its module makes no topology here
   */
  query(applicationId: string): Promise<ApplicationQueries> {
    return this.#queries.of(applicationId);
  }

  /**
   * What the threads' applications have done and where they stand, each with its instance as `worker`; `prometheusText` writes it for a scrape. A
   * thread that does not answer is left out but for its states, and `streams_thread_up` says so.
   */
  async metrics(): Promise<readonly MetricFamily[]> {
    return pooledFamilies(
      await Promise.all(
        this.#threads.map(async (thread) => ({
          families: (await thread.ask('metrics', [], metricsTimeoutMs)) ?? null,
          instanceId: thread.instanceId,
          states: thread.states$.value,
          replaced: thread.replaced,
        })),
      ),
    );
  }

  /** Where the query endpoint answers; null before `start`, or without one. */
  get queryAddress(): QueryAddress | null {
    return this.#queries.address;
  }

  /**
   * As of a worker, on every thread, and on those that replace one.
   * @param applicationId default: all. @throws InvalidArgumentError – it is none of ours
   */
  pause(applicationId?: string): void {
    this.#pause([...this.#paused, ...chosenOf(this.#applicationIds, applicationId)]);
  }

  /** Undoes `pause`. */
  resume(applicationId?: string): void {
    const chosen = chosenOf(this.#applicationIds, applicationId);
    this.#pause([...this.#paused].filter((id) => !chosen.includes(id)));
  }

  #pause(applications: readonly string[]): void {
    this.#paused = new Set(applications);
    for (const thread of this.#threads) thread.pause(this.#paused);
  }

  /**
   * Resolves when every application runs on every thread, or is paused.
   * @throws what keeps one from starting, by its `code`: a module that makes no topology, a missing topic, an old broker, a query endpoint's port
   * that is taken; `close` ends the others
   */
  async start(): Promise<void> {
    await this.#queries.start();
    await Promise.all(this.#threads.map((thread) => thread.start()));
  }

  /**
   * Commits what is done, keeps the places in the groups for a restart.
   * @param options.timeoutMs in place of `closeTimeoutMs`: a thread that takes longer is ended by force, and that is an error
   * @throws CloseTimeoutError – one was; the state folder is free all the same
   */
  async close({ timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    const left = await Promise.all(this.#threads.map((thread) => thread.close(timeoutMs)));
    await this.#queries.close();
    this.#folder.close();
    const forced = left.filter((applications) => applications !== null);
    if (timeoutMs !== undefined && forced.length > 0)
      throw new CloseTimeoutError(timeoutMs, [...new Set(forced.flat())]);
  }
}
