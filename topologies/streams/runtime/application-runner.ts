import { BehaviorSubject } from 'rxjs';
import type {
  Assignment,
  BaseOffsets,
  FetchedBatch,
  Fetcher,
  GroupMetadata,
  KafkaPort,
  Membership,
  PlainProducer,
  ProducedRecord,
  TopicPartition,
  TransactionalProducer,
} from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import type { Topology } from '../plan/topology.ts';
import type { StateFolder } from '../state/state-folder.ts';
import type { TaskStorage } from '../state/state-store.ts';
import { assignTasks, tasksOf } from './assignor.ts';
import { GlobalTables } from './global-tables.ts';
import { Inlet } from './inlet.ts';
import { prepareTopics } from './internal-topics.ts';
import { restoreGlobals, restoreTasks } from './restore.ts';
import { type FailureHandling, StreamTask } from './stream-task.ts';
import type { TaskCommit } from './task.ts';

export type ApplicationState = 'CREATED' | 'REBALANCING' | 'RESTORING' | 'RUNNING' | 'ERROR' | 'CLOSED';
export type ProcessingGuarantee = 'exactly_once' | 'at_least_once';

export interface RunnerOptions {
  readonly applicationId: string;
  readonly topology: Topology;
  readonly kafka: KafkaPort;
  readonly state: StateFolder;
  readonly instanceId: string;
  readonly guarantee: ProcessingGuarantee;
  readonly onMalformed: FailureHandling;
  readonly onFailure: FailureHandling;
  readonly log: (
    level: 'info' | 'warn' | 'error',
    event: string,
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void;
}

interface Running {
  readonly task: StreamTask;
  readonly storage: TaskStorage;
}

const sliceMs = 10;
/** Fetching of an input stops above the first and goes on below the second. */
const bufferHigh = 10_000;
const bufferLow = 2_000;
const firstBackoffMs = 100;
const lastBackoffMs = 10_000;

/**
 * One application on one instance: its place in the group, its tasks, and the cycle fetch → process → commit. Any error it cannot go on from
 * ends the run; the next one begins at what was committed, after a pause that grows.
 */
export class ApplicationRunner {
  readonly state$ = new BehaviorSubject<ApplicationState>('CREATED');
  readonly #options: RunnerOptions;
  readonly #plan: ApplicationPlan;
  #run: ApplicationRun | null = null;
  #closed = false;
  #restart: NodeJS.Timeout | undefined;
  #backoffMs = firstBackoffMs;
  #starting: Promise<void> = Promise.resolve();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#plan = options.topology.plan(options.applicationId);
  }

  /** Resolves when the first run has joined its group and restored its tasks. @throws what kept it from starting */
  async start(): Promise<void> {
    await this.#begin();
  }

  async #begin(): Promise<void> {
    const run = new ApplicationRun(this.#options, this.#plan, this.state$, (error) => this.#failed(run, error));
    this.#run = run;
    await run.start();
    this.#backoffMs = firstBackoffMs;
  }

  #failed(run: ApplicationRun, error: unknown): void {
    if (this.#closed || this.#run !== run) return;
    this.#run = null;
    this.state$.next('ERROR');
    const { log, applicationId } = this.#options;
    log(
      'error',
      'application-failed',
      `${applicationId} stopped and starts again in ${this.#backoffMs} ms: ${messageOf(error)}`,
      { error },
    );
    this.#starting = run.close(true);
    this.#restart = setTimeout(() => {
      this.#backoffMs = Math.min(this.#backoffMs * 2, lastBackoffMs);
      this.#starting = this.#starting
        .then(() => (this.#closed ? undefined : this.#begin()))
        .catch((again: unknown) => {
          if (this.#run !== null) this.#failed(this.#run, again);
        });
    }, this.#backoffMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    await this.#starting.catch(() => undefined); // told when it happened
    await this.#run?.close(false);
    this.state$.next('CLOSED');
  }
}

/** From joining to leaving; used once. */
class ApplicationRun {
  readonly #options: RunnerOptions;
  readonly #plan: ApplicationPlan;
  readonly #state$: BehaviorSubject<ApplicationState>;
  readonly #onFailed: (error: unknown) => void;
  readonly #tasks = new Map<string, Running>();
  readonly #taskOf = new Map<string, StreamTask>();
  readonly #paused = new Set<string>();
  readonly #inlet: Inlet;
  #counts: ReadonlyMap<string, number> = new Map();
  #fetcher: Fetcher | null = null;
  #globalFetcher: Fetcher | null = null;
  #globals: GlobalTables | null = null;
  #globalStorage: TaskStorage | null = null;
  #transactions: TransactionalProducer | null = null;
  #plain: PlainProducer | null = null;
  #membership: Membership | null = null;
  #group: GroupMetadata | null = null;
  /** Processing goes on only between an assignment and the next revocation. */
  #active = false;
  #assigning: Promise<void> = Promise.resolve();
  #committing: Promise<void> | null = null;
  #pumpScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    options: RunnerOptions,
    plan: ApplicationPlan,
    state$: BehaviorSubject<ApplicationState>,
    onFailed: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#plan = plan;
    this.#state$ = state$;
    this.#onFailed = onFailed;
    this.#inlet = new Inlet(
      () => this.#fetcher as Fetcher, // batches come from it
      (partition) => this.#took(partition),
      (partition, error) =>
        options.log('warn', 'schema-awaited', `${partitionName(partition)} waits: ${messageOf(error)}`, { error }),
    );
  }

  async start(): Promise<void> {
    const { kafka, guarantee, applicationId, instanceId, topology, state } = this.#options;
    await kafka.check(guarantee);
    this.#counts = await prepareTopics(this.#plan, kafka);
    const partitionsOf = (topic: string): number => this.#counts.get(topic) ?? 0;
    // Opening the producer settles what an earlier run of this instance left open.
    if (guarantee === 'exactly_once')
      this.#transactions = await kafka.transactionalProducer(prefixOf(applicationId, instanceId));
    else this.#plain = await kafka.producer();
    if (topology.globalTables.length > 0) {
      this.#globalStorage = state.storage(applicationId, 'global');
      this.#globals = new GlobalTables(applicationId, topology.globalTables, this.#globalStorage);
      await restoreGlobals(kafka, this.#globals, partitionsOf);
      await this.#followGlobals(this.#globals, partitionsOf);
    }
    this.#fetcher = kafka.fetcher({
      isolation: guarantee === 'exactly_once' ? 'read_committed' : 'read_uncommitted',
      onBatch: (batch) => this.#batch(batch),
      onOutOfRange: (partition, position, logStartOffset) => {
        const text = `${partitionName(partition)} has nothing at ${position} any more: reading on at ${logStartOffset}`;
        this.#options.log('warn', 'offset-out-of-range', text);
        this.#fetcher?.assign(partition, logStartOffset);
      },
      onError: (error) => this.#options.log('warn', 'fetch-failed', messageOf(error), { error }),
    });
    this.#state$.next('REBALANCING');
    const tasks = tasksOf(this.#plan, partitionsOf);
    const topics = [...new Set(this.#plan.subTopologies.flatMap((sub) => sub.sources.map((source) => source.topic)))];
    this.#membership = await kafka.join({
      groupId: applicationId,
      groupInstanceId: instanceId,
      topics,
      userData: () => new TextEncoder().encode(this.#plan.hash),
      assign: (members) => assignTasks(tasks, members),
      onRevoking: (group) => this.#revoking(group),
      onAssigned: (assignment) => {
        this.#assigning = this.#assigning
          .then(() => this.#assigned(assignment))
          .catch((error: unknown) => this.#fail(error));
      },
      onLost: (error) => this.#fail(error),
      sessionTimeoutMs: 10_000,
    });
    await this.#assigning;
  }

  // ---- group

  async #revoking(_group: GroupMetadata): Promise<void> {
    await this.#assigning.catch(() => undefined); // it has failed the run by itself
    this.#active = false;
    this.#state$.next('REBALANCING');
    await this.#committing;
    if (this.#ended) return;
    await this.#commit();
  }

  async #assigned({ partitions, group, departed }: Assignment): Promise<void> {
    if (this.#ended) return;
    this.#group = group;
    const { kafka, applicationId, topology } = this.#options;
    const mine = new Set(partitions.map(partitionName));
    const wanted = tasksOf(this.#plan, (topic) => this.#counts.get(topic) ?? 0).filter((task) =>
      task.partitions.some((partition) => mine.has(partitionName(partition))),
    );
    await Promise.all(departed.map((instance) => kafka.fence(prefixOf(applicationId, instance))));
    const ids = new Set(wanted.map((task) => task.taskId));
    for (const id of [...this.#tasks.keys()]) if (!ids.has(id)) await this.#closeTask(id);

    const committed = await kafka.committedOffsets(
      applicationId,
      wanted.flatMap((task) => task.partitions),
      { requireStable: true },
    );
    const offsetOf = new Map(committed.map((one) => [partitionName(one), one]));
    // A task that stayed while another instance worked on its partitions is out of date.
    for (const [id, { task }] of [...this.#tasks]) {
      const moved = task.inputs.some(
        (input) => task.position(input) !== (offsetOf.get(partitionName(input))?.offset ?? task.position(input)),
      );
      if (moved) await this.#closeTask(id);
    }
    const fresh: Running[] = [];
    for (const { taskId } of wanted) {
      if (this.#tasks.has(taskId)) continue;
      const [subId, partition] = taskId.split('_').map(Number);
      const sub = topology.subTopologies.find((one) => one.id === subId);
      if (sub === undefined || partition === undefined) continue;
      fresh.push(this.#openTask(sub, partition));
    }
    if (fresh.length > 0) {
      this.#state$.next('RESTORING');
      const since = performance.now();
      let records = 0;
      await restoreTasks(
        kafka,
        fresh.map(({ task }) => task),
        (more) => {
          records += more;
        },
      );
      const ms = Math.round(performance.now() - since);
      this.#options.log(
        'info',
        'restored',
        `${applicationId}: ${fresh.length} tasks restored, ${records} records in ${ms} ms`,
      );
      const begin = await this.#beginnings(fresh, offsetOf);
      if (this.#ended) return;
      for (const { task } of fresh) {
        task.start(
          task.inputs.map(
            (input) =>
              offsetOf.get(partitionName(input)) ?? {
                ...input,
                offset: begin.get(partitionName(input)) ?? 0,
                metadata: null,
              },
          ),
        );
        for (const input of task.inputs) {
          const name = partitionName(input);
          this.#taskOf.set(name, task);
          this.#paused.delete(name);
          this.#fetcher?.assign(input, offsetOf.get(name)?.offset ?? begin.get(name) ?? 0);
        }
      }
    }
    this.#active = true;
    this.#state$.next('RUNNING');
    this.#schedulePump();
  }

  #openTask(sub: Topology['subTopologies'][number], partition: number): Running {
    const { applicationId, state, onMalformed, onFailure, log } = this.#options;
    const id = `${sub.id}_${partition}`;
    const storage = state.storage(applicationId, id);
    const task = new StreamTask({
      applicationId,
      sub,
      partition,
      storage,
      globalStores: this.#globals?.stores ?? new Map(),
      partitionsOf: (topic) => this.#partitionsOf(topic),
      now: Date.now,
      onMalformed,
      onFailure,
      onDropped: (node, reason, record, cause) =>
        log(
          cause === undefined ? 'info' : 'warn',
          'record-dropped',
          `${applicationId} ${node}: ${reason}${cause === undefined ? '' : `: ${messageOf(cause)}`}`,
          { ...record, reason },
        ),
    });
    const running = { task, storage };
    this.#tasks.set(id, running);
    return running;
  }

  #partitionsOf(topic: string): number {
    const count = this.#counts.get(topic);
    if (count === undefined)
      throw new Error(`${topic} is not a topic that ${this.#options.applicationId} has named; nothing was sent`);
    return count;
  }

  /** Where inputs begin that the group has no offset of. */
  async #beginnings(
    fresh: readonly Running[],
    known: ReadonlyMap<string, unknown>,
  ): Promise<ReadonlyMap<string, number>> {
    const missing = fresh.flatMap(({ task }) => task.inputs).filter((input) => !known.has(partitionName(input)));
    if (missing.length === 0) return new Map();
    const resets = new Map(
      this.#plan.subTopologies.flatMap((sub) => sub.sources.map((source) => [source.topic, source.offsetReset])),
    );
    const latest = missing.filter((input) => resets.get(input.topic) === 'latest');
    const earliest = missing.filter((input) => resets.get(input.topic) !== 'latest');
    const { kafka } = this.#options;
    return new Map([
      ...(earliest.length > 0 ? await kafka.earliestOffsets(earliest) : []),
      ...(latest.length > 0 ? await kafka.endOffsets(latest) : []),
    ]);
  }

  async #closeTask(id: string): Promise<void> {
    const running = this.#tasks.get(id);
    if (running === undefined) return;
    this.#tasks.delete(id);
    for (const input of running.task.inputs) {
      this.#fetcher?.unassign(input);
      this.#taskOf.delete(partitionName(input));
    }
    running.task.close();
    await running.storage.close();
  }

  // ---- records

  #batch(batch: FetchedBatch): void {
    const task = this.#taskOf.get(partitionName(batch));
    if (task !== undefined && !this.#ended) this.#inlet.give(batch, task);
  }

  #took(partition: TopicPartition): void {
    const name = partitionName(partition);
    const task = this.#taskOf.get(name);
    if (task === undefined) return;
    if (task.buffered(partition) > bufferHigh && !this.#paused.has(name)) {
      this.#paused.add(name);
      this.#fetcher?.pause(partition);
    }
    this.#schedulePump();
  }

  #resumeDrained(): void {
    for (const name of this.#paused) {
      const task = this.#taskOf.get(name);
      const input = task?.inputs.find((one) => partitionName(one) === name);
      if (task !== undefined && input !== undefined && task.buffered(input) > bufferLow) continue;
      this.#paused.delete(name);
      if (input !== undefined) this.#fetcher?.resume(input);
    }
  }

  #schedulePump(): void {
    if (this.#pumpScheduled || !this.#active || this.#ended) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** One slice of every task, then a commit if none is in flight. Work goes on while a transaction is under way. */
  #pump(): void {
    if (!this.#active || this.#ended) return;
    let more = false;
    try {
      const now = Date.now();
      for (const { task } of this.#tasks.values()) {
        if (task.nextPunctuationMs <= now) task.punctuate(now);
        task.process({ maxMs: sliceMs });
        more ||= task.ready();
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#resumeDrained();
    if (this.#committing === null) {
      this.#committing = this.#commit().finally(() => {
        this.#committing = null;
        if ([...this.#tasks.values()].some(({ task }) => task.dirty)) this.#schedulePump();
      });
    }
    if (more) this.#schedulePump();
    this.#wakeForPunctuation();
  }

  #wakeForPunctuation(): void {
    clearTimeout(this.#timer);
    let next = Number.POSITIVE_INFINITY;
    for (const { task } of this.#tasks.values()) next = Math.min(next, task.nextPunctuationMs);
    if (next !== Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.#schedulePump(), Math.max(1, next - Date.now()));
  }

  // ---- commit

  async #commit(): Promise<void> {
    const group = this.#group;
    if (group === null || this.#ended) return;
    const parts: { readonly task: StreamTask; readonly commit: TaskCommit }[] = [];
    for (const { task } of this.#tasks.values()) {
      const commit = task.takeCommit();
      if (commit !== null) parts.push({ task, commit });
    }
    if (parts.length === 0) return;
    const records =
      parts.length === 1 ? (parts[0]?.commit.records ?? []) : parts.flatMap(({ commit }) => commit.records);
    const offsets = parts.flatMap(({ commit }) => commit.offsets);
    try {
      const base = await this.#write(records, offsets, group);
      for (const { task } of parts) task.committed(base);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #write(
    records: readonly ProducedRecord[],
    offsets: TaskCommit['offsets'],
    group: GroupMetadata,
  ): Promise<BaseOffsets> {
    if (this.#transactions !== null) return this.#transactions.commit({ records, offsets, group });
    const base = (await this.#plain?.send(records)) ?? new Map<string, number>();
    await this.#options.kafka.commitOffsets(offsets, group);
    return base;
  }

  // ---- global tables

  async #followGlobals(globals: GlobalTables, partitionsOf: (topic: string) => number): Promise<void> {
    const { kafka, log } = this.#options;
    const fetcher = kafka.fetcher({
      isolation: 'read_committed',
      onBatch: (batch) => inlet.give(batch, globals),
      onOutOfRange: (partition, _position, logStartOffset) => fetcher.assign(partition, logStartOffset),
      onError: (error) => log('warn', 'fetch-failed', messageOf(error), { error }),
    });
    const inlet = new Inlet(
      () => fetcher,
      () => void this.#sendDeadLetters(globals), // it handles its own errors
      (partition, error) =>
        log('warn', 'schema-awaited', `${partitionName(partition)} waits: ${messageOf(error)}`, { error }),
    );
    this.#globalFetcher = fetcher;
    await this.#sendDeadLetters(globals);
    for (const { topic } of globals.inputs) {
      for (let partition = 0; partition < partitionsOf(topic); partition += 1) {
        const input = { topic, partition };
        fetcher.assign(input, globals.position(input));
      }
    }
  }

  async #sendDeadLetters(globals: GlobalTables): Promise<void> {
    const letters = globals.takeDeadLetters();
    if (letters.length === 0) return;
    try {
      const producer = await this.#options.kafka.producer();
      await producer.send(letters);
      await producer.close();
    } catch (error) {
      this.#fail(error);
    }
  }

  // ---- end

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#active = false;
    this.#onFailed(error);
  }

  /** @param failed true: nothing more is committed */
  async close(failed: boolean): Promise<void> {
    if (this.#ended) return;
    if (!failed) {
      await this.#assigning.catch(() => undefined); // told when it happened
      this.#active = false;
      await this.#committing;
      await this.#commit();
    }
    this.#ended = true;
    this.#active = false;
    clearTimeout(this.#timer);
    this.#inlet.close();
    await this.#fetcher?.close();
    await this.#globalFetcher?.close();
    await this.#membership?.leave({ forget: false }).catch(() => undefined); // the session times out by itself
    await this.#transactions?.close();
    await this.#plain?.close();
    for (const id of [...this.#tasks.keys()]) await this.#closeTask(id);
    await this.#globalStorage?.close();
  }
}

export const prefixOf = (applicationId: string, instanceId: string): string => `${applicationId}/${instanceId}`;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
