import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BehaviorSubject, combineLatest, map, merge, type Observable, type Subscription } from 'rxjs';
import { CloseTimeoutError, InvalidArgumentError } from '../errors.ts';
import type { Decompressors } from '../kafka/decompression.ts';
import { KafkajsPort } from '../kafka/kafkajs-port.ts';
import type { KafkaPort } from '../kafka/port.ts';
import { type MetricFamily, metricFamilies } from '../metrics/metric-families.ts';
import type { Topology } from '../plan/topology.ts';
import type { ApplicationQueries } from '../query/application-queries.ts';
import type { QueryAddress, QueryDirectory } from '../query/directory.ts';
import type { QueryEndpointOptions } from '../query/query-endpoint.ts';
import { type LocalApplication, QueryService } from '../query/query-service.ts';
import { queryTokenOf } from '../query/query-token.ts';
import { StateFolder } from '../state/state-folder.ts';
import { ApplicationTracing } from '../tracing/application-tracing.ts';
import type { TracingOptions } from '../tracing/tracer.ts';
import {
  ApplicationRunner,
  type ApplicationState,
  type ProcessingGuarantee,
  type RunnerOptions,
} from './application-runner.ts';
import type { FailureHandler, FailureHandling, ProductionHandler } from './failure-handling.ts';
import { type Log, messageOf } from './log.ts';
import type { RestoreProgress } from './restore-progress.ts';

export interface WorkerApplication {
  readonly applicationId: string;
  readonly topology: Topology;
  /** This and the next ones: in place of the worker's. */
  readonly onFailure?: FailureHandler;
  readonly onProductionError?: ProductionHandler;
  readonly tracing?: TracingOptions;
}

export interface StreamsWorkerOptions {
  readonly applications: readonly WorkerApplication[];
  /** host:port of some of the brokers, separated by commas; or a port that is open already. */
  readonly bootstrapServers?: string;
  readonly port?: KafkaPort;
  /** With `bootstrapServers`: for topics that other clients have packed by snappy or lz4. A port has its own. */
  readonly decompress?: Decompressors;
  /** Local state of this instance: in here, or in a folder of its `instanceId` in here. One process at a time. */
  readonly stateDir: string;
  /**
   * Who this worker is among those of its applications, stable over restarts: the place in the groups (`group.instance.id`) and the
   * transactional ids hang on it. Absent: one is made up once and kept in `stateDir`.
   */
  readonly instanceId?: string;
  /** Default `exactly_once`: needs brokers with transaction.version 2 (Kafka ≥ 4.0). */
  readonly processingGuarantee?: ProcessingGuarantee;
  /**
   * How long a task waits for an input that is empty and at its end before it goes on with the others (KIP-695). Default 0: it goes on at once; one
   * that is known to have records is waited for all the same. -1: nothing is ever waited for.
   */
  readonly maxTaskIdleMs?: number;
  /** A record whose bytes cannot be read. Default `dead-letter`. */
  readonly onMalformed?: FailureHandling;
  /** A record that a node fails with. Default `fail`: the application stops and begins again at this record. A function decides for each. */
  readonly onFailure?: FailureHandler;
  /**
   * A dead letter parks its key: what comes of it later waits, in order, until it is redriven. Costs a changelog and a redrive topic for each
   * sub-topology. Default false. It is part of what the instances of an application must agree on.
   */
  readonly parkDeadLetters?: boolean;
  /** A record that cannot be sent: too large, or refused by its topic. Default `fail`. A function decides for each. */
  readonly onProductionError?: ProductionHandler;
  /**
   * Share of the tasks relative to that of other instances: two of capacity 2 and 1 have two thirds and one third of them. Kafka Streams goes by
   * the number of stream threads; an instance of ours has one. Default 1.
   */
  readonly capacity?: number;
  /**
   * Copies of each stateful task's state that other instances keep up, so that one of them takes over without a restore. Default 0. Of this
   * and the next options those of the instance that leads the group count: give all the same.
   */
  readonly numStandbyReplicas?: number;
  /** Changelog records that a copy may lack and still be good enough to take over at once. Default 10,000. */
  readonly acceptableRecoveryLag?: number;
  /** Tasks whose state is brought to the instance that is to have them, at once, while another one works on them. Default 2, at least 1. */
  readonly maxWarmupReplicas?: number;
  /** After so long an instance that warms up asks the group anew, though it is not caught up. Default 600,000 (10 min). */
  readonly probingRebalanceIntervalMs?: number;
  /**
   * State on the disk of tasks that have not been here for so long, neither running nor as a copy, is removed. Default 600,000 (10 min); Infinity:
   * never.
   */
  readonly stateCleanupDelayMs?: number;
  /** Instances of one process, or of one machine, name the same one: a copy is never kept beside its task. Default: the `instanceId`. */
  readonly processId?: string;
  readonly log?: Log;
  /** Makes spans of commits and of sampled records, and hands the trace on to what they send. */
  readonly tracing?: TracingOptions;
  /** Answers queries of other instances over HTTP; without it `query` reads what is here. */
  readonly queryEndpoint?: QueryEndpointOptions;
  /** Finds the endpoints of the other instances. */
  readonly queryDirectory?: QueryDirectory;
  /** How long another instance may take to answer a query. Default 1000. */
  readonly queryTimeoutMs?: number;
  /**
   * What instances show each other: the own endpoint answers nobody else. The same on all; of several all are accepted and the first is sent.
   * Absent: everybody is answered.
   */
  readonly queryToken?: string | readonly string[];
}

/** @throws InvalidArgumentError */
function sharingOf(
  options: StreamsWorkerOptions,
): Pick<
  RunnerOptions,
  'capacity' | 'numStandbyReplicas' | 'acceptableRecoveryLag' | 'maxWarmupReplicas' | 'probingRebalanceIntervalMs'
> {
  const sharing = {
    capacity: options.capacity ?? 1,
    numStandbyReplicas: options.numStandbyReplicas ?? 0,
    acceptableRecoveryLag: options.acceptableRecoveryLag ?? 10_000,
    maxWarmupReplicas: options.maxWarmupReplicas ?? 2,
    probingRebalanceIntervalMs: options.probingRebalanceIntervalMs ?? 600_000,
  };
  const least = { capacity: Number.MIN_VALUE, numStandbyReplicas: 0, acceptableRecoveryLag: 0, maxWarmupReplicas: 1 };
  for (const [name, value] of Object.entries({ ...least, probingRebalanceIntervalMs: 1 })) {
    const given = sharing[name as keyof typeof sharing]; // the names are those above
    if (given >= value && Number.isFinite(given)) continue;
    throw new InvalidArgumentError(
      `${name} is ${given}, but must be ${name === 'capacity' ? 'above 0' : `${value} or more`}; nothing was started.`,
    );
  }
  return sharing;
}

/** Worst first: what the worker as a whole is said to be. */
const order: readonly ApplicationState[] = [
  'ERROR',
  'CREATED',
  'REBALANCING',
  'RESTORING',
  'PAUSED',
  'RUNNING',
  'CLOSED',
];

/** What many as a whole are said to be. */
export const worstOf = (states: Iterable<ApplicationState>): ApplicationState => {
  const all = [...states];
  return order.find((state) => all.includes(state)) ?? 'RUNNING';
};

/** @param one undefined: all. @throws InvalidArgumentError – it is none of them */
export function chosenOf(all: readonly string[], one: string | undefined): readonly string[] {
  if (one === undefined) return all;
  if (all.includes(one)) return [one];
  throw new InvalidArgumentError(
    `there is no application ${one} here; there are ${all.join(', ')}. Nothing was changed.`,
  );
}

/** What a worker has of an application: for the thread that it runs in, whose pool asks. */
export let localOf: (worker: StreamsWorker, applicationId: string) => LocalApplication;

/** Runs several applications in one process, each in a group of its own. */
export class StreamsWorker {
  /** As it was given, or as it is kept in `stateDir`. */
  readonly instanceId: string;
  /** State of each application by its id. */
  readonly states$: Observable<ReadonlyMap<string, ApplicationState>>;
  /** How far restores have come, store by store: when one begins, twice a second, and when it is done. Completes with `close`. */
  readonly restore$: Observable<RestoreProgress>;
  readonly #state$ = new BehaviorSubject<ApplicationState>('CREATED');
  readonly #runners: readonly ApplicationRunner[];
  readonly #port: KafkaPort;
  readonly #ownsPort: boolean;
  readonly #folder: StateFolder;
  readonly #watching: Subscription;
  readonly #log: Log;
  #closing: Promise<void> | null = null;
  readonly #queries: QueryService;

  static {
    localOf = (worker, applicationId) => worker.#queries.local(applicationId);
  }

  /** @throws StateFolderInUseError, InvalidArgumentError */
  constructor(options: StreamsWorkerOptions) {
    if (options.port === undefined && options.bootstrapServers === undefined) {
      throw new TypeError('a worker needs bootstrapServers or a port; nothing was started');
    }
    const sharing = sharingOf(options);
    const { stateCleanupDelayMs = 600_000 } = options;
    const token = queryTokenOf(options.queryToken);
    if (!(stateCleanupDelayMs > 0))
      throw new InvalidArgumentError(
        `stateCleanupDelayMs is ${stateCleanupDelayMs}, but must be above 0 (Infinity: never); nothing was started.`,
      );
    this.#log = options.log ?? (() => {});
    this.#folder = new StateFolder(
      options.instanceId === undefined ? options.stateDir : join(options.stateDir, options.instanceId),
    );
    const instanceId = options.instanceId ?? this.#folder.workerId();
    this.instanceId = instanceId;
    this.#ownsPort = options.port === undefined;
    this.#port =
      options.port ??
      new KafkajsPort({
        bootstrapServers: (options.bootstrapServers ?? '').split(','),
        clientId: instanceId,
        ...(options.decompress && { decompress: options.decompress }),
      });
    this.#runners = options.applications.map(
      ({
        applicationId,
        topology,
        onFailure = options.onFailure ?? 'fail',
        onProductionError = options.onProductionError ?? 'fail',
        tracing = options.tracing,
      }) =>
        new ApplicationRunner({
          applicationId,
          topology: options.parkDeadLetters ? topology.parkingDeadLetters() : topology,
          kafka: this.#port,
          state: this.#folder,
          instanceId,
          processId: options.processId ?? instanceId,
          guarantee: options.processingGuarantee ?? 'exactly_once',
          maxTaskIdleMs: options.maxTaskIdleMs ?? 0,
          onMalformed: options.onMalformed ?? 'dead-letter',
          onFailure,
          onProductionError,
          log: this.#log,
          stateCleanupDelayMs,
          ...sharing,
          ...(tracing && { tracing: new ApplicationTracing(applicationId, tracing) }),
        }),
    );
    this.#queries = new QueryService({ ...options, instanceId, token }, this.#port, this.#runners);
    const ids = options.applications.map((application) => application.applicationId);
    this.states$ = combineLatest(this.#runners.map((runner) => runner.state$)).pipe(
      map((states) => new Map(states.map((state, index) => [ids[index] ?? '', state]))),
    );
    this.restore$ = merge(...this.#runners.map((runner) => runner.restore$));
    this.#watching = this.states$.subscribe((states) => this.#state$.next(worstOf(states.values())));
  }

  /** The worst of its applications' states. */
  get state$(): Observable<ApplicationState> {
    return this.#state$;
  }

  /** Its stores for looking only, of this instance and the others. @throws QueryError – there is no such application */
  query(applicationId: string): ApplicationQueries {
    return this.#queries.of(applicationId);
  }

  /** What its applications have done and where they stand, at this moment; `prometheusText` writes it for a scrape. */
  metrics(): readonly MetricFamily[] {
    return metricFamilies(
      this.#runners.map(({ applicationId, local, metrics }) => ({ applicationId, metrics, ...local })),
    );
  }

  /** Where the query endpoint answers; null before `start`, or without one. */
  get queryAddress(): QueryAddress | null {
    return this.#queries.address;
  }

  /** Resolves when every application runs. @throws what keeps one from starting: a missing topic, an old broker, a port that is taken */
  async start(): Promise<void> {
    await this.#queries.start();
    await Promise.all(this.#runners.map((runner) => runner.start()));
  }

  /**
   * Processes and fetches nothing until `resume`, and runs no punctuator (KIP-834); what is done is committed. The places in the groups stay, and
   * restores and global tables go on. Before `start`, too: then it starts paused.
   * @param applicationId default: all. @throws InvalidArgumentError – it is none of ours
   */
  pause(applicationId?: string): void {
    for (const runner of this.#chosen(applicationId)) runner.pause();
  }

  /** Undoes `pause`. */
  resume(applicationId?: string): void {
    for (const runner of this.#chosen(applicationId)) runner.resume();
  }

  #chosen(applicationId: string | undefined): readonly ApplicationRunner[] {
    const chosen = chosenOf(
      this.#runners.map((runner) => runner.applicationId),
      applicationId,
    );
    return this.#runners.filter((runner) => chosen.includes(runner.applicationId));
  }

  /**
   * Commits what is done, keeps the places in the groups for a restart.
   * @param options.timeoutMs after which it gives up: nothing more is committed, nor written to the disk. Absent: as long as it takes
   * @throws CloseTimeoutError – it gave up. The state folder stays in use until the rest has ended, or the process
   */
  async close({ timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close();
    if (timeoutMs === undefined) return this.#closing;
    const timer = new AbortController();
    const late = sleep(timeoutMs, true, { signal: timer.signal }).catch(() => false); // stopped: the close was first
    const isLate = await Promise.race([this.#closing.then(() => false), late]).finally(() => timer.abort());
    if (!isLate) return;
    this.#closing.catch((error: unknown) => this.#log('warn', 'close-failed', messageOf(error), { error }));
    const left = this.#runners.filter((runner) => runner.abandon()).map((runner) => runner.applicationId);
    const error = new CloseTimeoutError(timeoutMs, left);
    this.#log('error', 'close-gave-up', error.message, { error });
    throw error;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.close()));
    this.#watching.unsubscribe();
    await this.#queries.close();
    if (this.#ownsPort) await this.#port.close();
    this.#folder.close();
  }
}
