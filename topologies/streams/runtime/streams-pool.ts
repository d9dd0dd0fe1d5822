import { extname, join } from 'node:path';
import type { ResourceLimits } from 'node:worker_threads';
import { combineLatest, distinctUntilChanged, map, merge, type Observable } from 'rxjs';
import { InvalidArgumentError } from '../errors.ts';
import type { KafkaConnection } from '../kafka/index.ts';
import { StateFolder } from '../state/state-folder.ts';
import { type ModuleApplication, moduleUrl } from './application-module.ts';
import type { ApplicationState } from './application-runner.ts';
import type { Log } from './log.ts';
import type { RestoreProgress } from './restore-progress.ts';
import { SupervisedThread } from './supervised-thread.ts';
import type { ThreadSettings } from './thread-messages.ts';
import { worstOf } from './worker.ts';

/** Those of a StreamsWorker go for each thread. */
export interface StreamsPoolOptions
  extends Pick<KafkaConnection, 'bootstrapServers' | 'ssl' | 'sasl'>,
    Omit<ThreadSettings, 'processId'> {
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
 * V8 takes a third of it for each semi-space: 8 MB, which fits a cache. Measured on order-flow, 200,000 orders, two cores: about 11 µs of CPU an input; with
 * 192 MB about 14.5, and more memory.
 */
const youngGenerationMb = 24;

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
  readonly #threads: readonly SupervisedThread[];
  readonly #folder: StateFolder;

  /**
   * @throws InvalidArgumentError – `workers` is no whole number above 0
   * @throws StateFolderInUseError
   */
  constructor(options: StreamsPoolOptions) {
    const { applications, workers, stateDir, instanceId, resourceLimits, closeTimeoutMs, log, ...rest } = {
      workers: 1,
      closeTimeoutMs: 20_000,
      log: () => {},
      ...options,
    };
    const { bootstrapServers, ssl, sasl, ...settings } = rest;
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
            settings: { ...settings, processId: this.instanceId },
          },
          resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb, ...resourceLimits },
          closeTimeoutMs,
          log,
        }),
    );
    const ids = modules.map(({ applicationId }) => applicationId);
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
   * Resolves when every application runs on every thread.
   * @throws what keeps one from starting, by its `code`: a module that makes no topology, a missing topic, an old broker; `close` ends the others
   */
  async start(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.start()));
  }

  /** Commits what is done, keeps the places in the groups for a restart. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
    this.#folder.close();
  }
}
