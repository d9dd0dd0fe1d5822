import { BehaviorSubject, filter, firstValueFrom } from 'rxjs';
import { EngineRuleError, TaskFailedError, TopologyError } from '../errors.ts';
import type {
  Assignment,
  BaseOffsets,
  CommittedOffset,
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
import { assignTasks, type TaskInputs, tasksOf } from './assignor.ts';
import { GlobalTables } from './global-tables.ts';
import { Holds } from './holds.ts';
import { Inlet } from './inlet.ts';
import { prepareTopics } from './internal-topics.ts';
import { RepartitionPurge } from './repartition-purge.ts';
import { restoreGlobals, restoreTasks } from './restore.ts';
import { type FailureHandling, StreamTask } from './stream-task.ts';
import type { TaskCommit } from './task.ts';

export type ApplicationState = 'CREATED' | 'REBALANCING' | 'RESTORING' | 'RUNNING' | 'ERROR' | 'CLOSED';
export type ProcessingGuarantee = 'exactly_once' | 'at_least_once';

export interface RunnerOptions {
  readonly applicationId: string;
  readonly topology: Topology;
  readonly kafka: KafkaPort;
  readonly state: Pick<StateFolder, 'storage'>;
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
/** Records of one task for the next transaction while another is under way: beyond it the task waits, or each would be larger than the last. */
const uncommittedHigh = 50_000;
const firstBackoffMs = 100;
const lastBackoffMs = 10_000;
/** A run that lasted so long had begun well: the next fault is a new one. */
const steadyMs = 30_000;
/** A timer for longer than 2^31 ms fires at once. */
const longestTimerMs = 60_000;

/**
 * One application on one instance: its place in the group, its tasks, and the cycle fetch → process → commit. Any error it cannot go on from
 * ends the run; the next one begins at what was committed, after a pause that grows.
 */
export class ApplicationRunner {
  readonly state$ = new BehaviorSubject<ApplicationState>('CREATED');
  readonly #options: RunnerOptions;
  readonly #plan: ApplicationPlan;
  /** Topics that sinks have named while they ran: what a topic extractor chooses is not known before. */
  readonly #named = new Set<string>();
  #run: ApplicationRun | null = null;
  #closed = false;
  #restart: NodeJS.Timeout | undefined;
  #backoffMs = firstBackoffMs;
  #runningSince = Number.POSITIVE_INFINITY;
  #starting: Promise<void> = Promise.resolve();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#plan = options.topology.plan(options.applicationId);
  }

  /**
   * Resolves when it runs: joined, its tasks restored. A run that fails in between begins again, and this goes on waiting.
   * @throws what kept it from joining: a missing topic, an old broker; or that it was closed meanwhile
   */
  async start(): Promise<void> {
    await this.#begin().catch((error: unknown) => {
      if (this.#run !== null) throw error; // else it has failed on the way, and begins again
    });
    const settled = this.state$.pipe(filter((state) => state === 'RUNNING' || state === 'CLOSED'));
    if ((await firstValueFrom(settled)) === 'CLOSED')
      throw new Error(`${this.#options.applicationId} was closed before it ran`);
  }

  async #begin(): Promise<void> {
    this.#runningSince = Number.POSITIVE_INFINITY;
    const onFailed = (error: unknown): void => this.#failed(run, error);
    const run: ApplicationRun = new ApplicationRun(this.#options, this.#plan, this.#named, this.state$, onFailed);
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

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    await this.#run?.close(false);
    await this.#starting.catch(() => undefined); // told when it happened
    this.state$.next('CLOSED');
  }
}

/** From joining to leaving; used once. */
class ApplicationRun {
  readonly #options: RunnerOptions;
  readonly #plan: ApplicationPlan;
  readonly #named: Set<string>;
  readonly #state$: BehaviorSubject<ApplicationState>;
  readonly #onFailed: (error: unknown) => void;
  readonly #tasks = new Map<string, Running>();
  readonly #taskOf = new Map<string, StreamTask>();
  readonly #holds: Holds;
  readonly #inlet: Inlet;
  readonly #purge: RepartitionPurge;
  /** Start, assignments and restores stop where they are: the run is being closed. */
  readonly #ending = new AbortController();
  /** Of the last assignment: ended by the next revocation. */
  #restoring = new AbortController();
  #counts: ReadonlyMap<string, number> = new Map();
  #fetcher: Fetcher | null = null;
  #globalFetcher: Fetcher | null = null;
  #globalInlet: Inlet | null = null;
  #globals: GlobalTables | null = null;
  #globalStorage: TaskStorage | null = null;
  #transactions: TransactionalProducer | null = null;
  #plain: PlainProducer | null = null;
  #membership: Membership | null = null;
  #group: GroupMetadata | null = null;
  /** Processing goes on only between an assignment and the next revocation. */
  #active = false;
  /** A task has failed at a record that its buffer does not hold any more: nothing is processed after it, what came before is committed. */
  #broken = false;
  #starting: Promise<void> = Promise.resolve();
  #assigning: Promise<void> = Promise.resolve();
  #committing: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #pumpScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  /** Nothing more is committed. */
  #ended = false;

  constructor(
    options: RunnerOptions,
    plan: ApplicationPlan,
    named: Set<string>,
    state$: BehaviorSubject<ApplicationState>,
    onFailed: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#plan = plan;
    this.#named = named;
    this.#state$ = state$;
    this.#onFailed = onFailed;
    this.#holds = new Holds(() => this.#fetcher as Fetcher); // batches come from it
    this.#inlet = new Inlet({
      holds: this.#holds,
      onTaken: (batch) => this.#took(batch),
      onWaiting: (partition, error) => this.#waits(partition, error),
      onFailed: (error) => this.#fail(error),
    });
    const repartitions = plan.subTopologies.flatMap((sub) => sub.sources.filter((source) => source.internal));
    this.#purge = new RepartitionPurge(options.kafka, new Set(repartitions.map(({ topic }) => topic)), (error) =>
      options.log('warn', 'purge-failed', messageOf(error), { error }),
    );
  }

  /** @throws also when it is closed meanwhile */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { kafka, guarantee, applicationId, instanceId, topology, state } = this.#options;
    const { signal } = this.#ending;
    await kafka.check(guarantee);
    const named = await kafka.partitionCounts([...this.#named]);
    this.#counts = new Map([...named, ...(await prepareTopics(this.#plan, kafka))]);
    signal.throwIfAborted();
    const partitionsOf = (topic: string): number => this.#counts.get(topic) ?? 0;
    // Opening the producer settles what an earlier run of this instance left open.
    if (guarantee === 'exactly_once')
      this.#transactions = await kafka.transactionalProducer(prefixOf(applicationId, instanceId));
    else this.#plain = await kafka.producer();
    signal.throwIfAborted();
    if (topology.globalTables.length > 0) {
      this.#globalStorage = state.storage(applicationId, 'global');
      this.#globals = new GlobalTables(applicationId, topology.globalTables, this.#globalStorage);
      const onWaiting = (partition: TopicPartition, error: unknown) => this.#waits(partition, error);
      await restoreGlobals(kafka, this.#globals, partitionsOf, { signal, onWaiting });
      await this.#followGlobals(this.#globals, partitionsOf);
    }
    signal.throwIfAborted();
    this.#fetcher = kafka.fetcher({
      isolation: guarantee === 'exactly_once' ? 'read_committed' : 'read_uncommitted',
      onBatch: (batch) => this.#batch(batch),
      onOutOfRange: (partition, position, logStartOffset) => {
        const text = `${partitionName(partition)} has nothing at ${position} any more: reading on at ${logStartOffset}`;
        this.#options.log('warn', 'offset-out-of-range', text);
        this.#fetcher?.assign(partition, logStartOffset);
        this.#holds.renew(partition);
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
          .catch((error: unknown) => {
            if (!signal.aborted) this.#fail(error); // else it was told to stop
          });
      },
      onLost: (error) => this.#fail(error),
      sessionTimeoutMs: 10_000,
    });
    await this.#assigning;
  }

  // ---- group

  async #revoking(_group: GroupMetadata): Promise<void> {
    // The group waits for this member, and puts it out if that takes too long; what was restored stays restored.
    this.#restoring.abort(new Error('the group moves on'));
    await this.#assigning; // what failed there has failed the run
    this.#active = false;
    if (!this.#ending.signal.aborted) this.#state$.next('REBALANCING');
    await this.#commitAll();
  }

  async #assigned({ partitions, group, departed }: Assignment): Promise<void> {
    const { signal } = this.#ending;
    if (signal.aborted) return;
    const before = this.#group;
    this.#group = group;
    const restoring = new AbortController();
    this.#restoring = restoring;
    const { kafka, applicationId, topology } = this.#options;
    const wanted = this.#wanted(partitions);
    await Promise.all(departed.map((instance) => kafka.fence(prefixOf(applicationId, instance))));
    // In a generation that was missed others may have worked on the same tasks: their punctuators move no offset that would tell.
    const stayed = before?.memberId === group.memberId && group.generationId <= before.generationId + 1;
    const ids = new Set(stayed ? wanted.map((task) => task.taskId) : []);
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
      try {
        await restoreTasks(
          kafka,
          fresh.map(({ task }) => task),
          {
            signal: AbortSignal.any([signal, restoring.signal]),
            onProgress: (more) => {
              records += more;
            },
          },
        );
      } catch (error) {
        if (signal.aborted || !restoring.signal.aborted) throw error;
        for (const { task } of fresh) await this.#closeTask(task.id);
        return;
      }
      const ms = Math.round(performance.now() - since);
      this.#options.log(
        'info',
        'restored',
        `${applicationId}: ${fresh.length} tasks restored, ${records} records in ${ms} ms`,
      );
      const begin = await this.#beginnings(fresh, offsetOf);
      signal.throwIfAborted();
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
          this.#fetcher?.assign(input, offsetOf.get(name)?.offset ?? begin.get(name) ?? 0);
        }
      }
    }
    signal.throwIfAborted();
    this.#active = true;
    this.#state$.next('RUNNING');
    this.#schedulePump();
  }

  /** @throws TopologyError – a task was given only some of its inputs: nobody may work on it, since another member has the rest */
  #wanted(partitions: readonly TopicPartition[]): readonly TaskInputs[] {
    const mine = new Set(partitions.map(partitionName));
    return tasksOf(this.#plan, (topic) => this.#counts.get(topic) ?? 0).filter((task) => {
      const given = task.partitions.filter((partition) => mine.has(partitionName(partition)));
      if (given.length > 0 && given.length < task.partitions.length) {
        throw new TopologyError(
          `${this.#options.applicationId} was given ${given.map(partitionName).join(', ')} without the other inputs of task ${task.taskId}: ` +
            'the instance that shares out the tasks runs another topology. Nothing was processed; deploy the same one on all instances.',
        );
      }
      return given.length > 0;
    });
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
    if (count !== undefined) return count;
    if (this.#named.has(topic)) throw new Error(`there is no topic ${topic}; nothing was sent. Create it first.`);
    // A task cannot wait for an answer, so the run begins again with it. No handler is asked: the record is not at fault.
    this.#named.add(topic);
    throw new EngineRuleError(`${topic} is named for the first time: how many partitions it has is asked for at once`);
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
      this.#inlet.forget(input);
      this.#holds.forget(input);
      this.#taskOf.delete(partitionName(input));
    }
    try {
      running.task.close();
    } catch (error) {
      this.#options.log('warn', 'close-failed', messageOf(error), { error }); // it is closed all the same
    }
    await running.storage.close();
  }

  // ---- records

  #batch(batch: FetchedBatch): void {
    const task = this.#taskOf.get(partitionName(batch));
    if (task === undefined || this.#ending.signal.aborted) return;
    try {
      this.#inlet.give(batch, task);
    } catch (error) {
      this.#fail(error);
    }
  }

  #waits(partition: TopicPartition, error: unknown): void {
    const text = `${partitionName(partition)} waits: ${messageOf(error)}`;
    this.#options.log('warn', 'schema-awaited', text, { error });
  }

  #took(partition: TopicPartition): void {
    const task = this.#taskOf.get(partitionName(partition));
    if (task === undefined) return;
    if (task.buffered(partition) > bufferHigh) this.#holds.hold(partition, 'full');
    this.#schedulePump();
  }

  #resumeDrained(): void {
    for (const partition of this.#holds.heldFor('full')) {
      const task = this.#taskOf.get(partitionName(partition));
      if (task === undefined || task.buffered(partition) <= bufferLow) this.#holds.release(partition, 'full');
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
    if (!this.#active || this.#ended || this.#broken) return;
    let more = false;
    try {
      const now = Date.now();
      for (const { task } of this.#tasks.values()) {
        // A transaction in flight holds it back; its end comes here again.
        if (this.#committing !== null && task.uncommitted > uncommittedHigh) continue;
        if (task.nextPunctuationMs <= now) task.punctuate(now);
        task.process({ maxMs: sliceMs });
        more ||= task.ready();
      }
    } catch (error) {
      this.#broken = true;
      // What the record itself did is taken back already. A punctuator's work is not, so then nothing since the last commit stands.
      if (error instanceof TaskFailedError && error.topic !== null)
        void this.#commitAll().then(() => this.#fail(error)); // it handles its own errors
      else this.#fail(error);
      return;
    }
    this.#resumeDrained();
    if (this.#committing === null) void this.#commit(); // it handles its own errors
    if (more) this.#schedulePump();
    this.#wakeForPunctuation();
  }

  #wakeForPunctuation(): void {
    clearTimeout(this.#timer);
    let next = Number.POSITIVE_INFINITY;
    for (const { task } of this.#tasks.values()) next = Math.min(next, task.nextPunctuationMs);
    if (next !== Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.#schedulePump(), Math.min(Math.max(1, next - Date.now()), longestTimerMs));
  }

  // ---- commit

  /** Everything that is done until now, also what came while another transaction was in flight. */
  async #commitAll(): Promise<void> {
    while (this.#committing !== null) await this.#committing;
    await this.#commit();
  }

  /** One at a time: a task hands out its work again only when the last transaction is settled. */
  #commit(): Promise<void> {
    this.#committing ??= this.#commitNow().finally(() => {
      this.#committing = null;
      if ([...this.#tasks.values()].some(({ task }) => task.dirty)) this.#schedulePump();
    });
    return this.#committing;
  }

  async #commitNow(): Promise<void> {
    const group = this.#group;
    if (group === null || this.#ended) return;
    try {
      const parts: { readonly task: StreamTask; readonly commit: TaskCommit }[] = [];
      for (const { task } of this.#tasks.values()) {
        const commit = task.takeCommit();
        if (commit !== null) parts.push({ task, commit });
      }
      if (parts.length === 0) return;
      const records =
        parts.length === 1 ? (parts[0]?.commit.records ?? []) : parts.flatMap(({ commit }) => commit.records);
      const offsets = parts.flatMap(({ commit }) => commit.offsets);
      const base = await this.#write(records, offsets, group);
      for (const { task } of parts) task.committed(base);
      this.#purge.committed(offsets, performance.now());
    } catch (error) {
      this.#fail(error);
    }
  }

  async #write(
    records: readonly ProducedRecord[],
    offsets: readonly CommittedOffset[],
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
      onBatch: (batch) => {
        try {
          inlet.give(batch, globals);
        } catch (error) {
          this.#fail(error);
        }
      },
      // The next run reads the table anew: rows that were deleted in what is gone would stay for ever.
      onOutOfRange: (partition, position) =>
        this.#fail(new Error(`${partitionName(partition)} has nothing at ${position} any more`)),
      onError: (error) => log('warn', 'fetch-failed', messageOf(error), { error }),
    });
    const inlet = new Inlet({
      holds: new Holds(() => fetcher),
      onTaken: () => void this.#sendDeadLetters(globals), // it handles its own errors
      onWaiting: (partition, error) => this.#waits(partition, error),
      onFailed: (error) => this.#fail(error),
    });
    this.#globalInlet = inlet;
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
      await producer.send(letters).finally(() => producer.close());
    } catch (error) {
      this.#fail(error);
    }
  }

  // ---- end

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#active = false;
    this.#ending.abort(error);
    this.#onFailed(error);
  }

  /** @param failed true: nothing more is committed */
  close(failed: boolean): Promise<void> {
    this.#closing ??= this.#close(failed);
    return this.#closing;
  }

  async #close(failed: boolean): Promise<void> {
    if (failed) this.#ended = true;
    this.#active = false;
    this.#ending.abort(new Error(`${this.#options.applicationId} was closed`));
    clearTimeout(this.#timer);
    // Whatever they were opening must be there before it can be closed. Both have told of their errors themselves.
    await this.#starting.catch(() => undefined);
    await this.#assigning;
    await this.#commitAll();
    this.#ended = true;
    this.#inlet.close();
    this.#globalInlet?.close();
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
