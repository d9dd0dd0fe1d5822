import { ProductionError } from '../errors.ts';
import type { InMemoryBroker } from '../kafka/in-memory-broker.ts';
import type { TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { DropReason } from '../plan/node.ts';
import { checkCoPartitioning, internalWidths } from '../plan/partition-widths.ts';
import { changelogTopicOf, type Topology } from '../plan/topology.ts';
import { ApplicationQueries } from '../query/application-queries.ts';
import { LocalRows } from '../query/local-rows.ts';
import { StoreChanges } from '../query/store-changes.ts';
import { deadLetterTopicOf } from '../runtime/dead-letter.ts';
import type { FailureHandler, FailureHandling, ProductionHandler } from '../runtime/failure-handling.ts';
import { GlobalTables } from '../runtime/global-tables.ts';
import type { LocalState } from '../runtime/local-state.ts';
import { ProductionLimits } from '../runtime/production-limits.ts';
import type { RecordMetadata } from '../runtime/record.ts';
import { StreamTask } from '../runtime/stream-task.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import type { TaskStorage } from '../state/state-store.ts';
import { RecordList } from './record-list.ts';

export interface ApplicationOptions {
  readonly now: () => number;
  /** Of a topic that is not there yet. */
  readonly partitionsOf: (topic: string) => number;
  readonly onMalformed: FailureHandling;
  readonly onFailure: FailureHandler;
  readonly onProductionError: ProductionHandler;
  readonly maxMessageBytes: Readonly<Record<string, number>>;
  /** See `TaskOptions.onReady`. */
  readonly onReady: () => void;
  readonly storage: (taskId: string) => TaskStorage;
}

export type CrashPoint = 'before-commit' | 'after-commit';

export interface Drop {
  readonly application: string;
  readonly node: string;
  readonly reason: DropReason;
  readonly record: RecordMetadata | null;
}

interface RunningTask {
  readonly task: StreamTask;
  readonly storage: TaskStorage;
  readonly sub: Topology['subTopologies'][number];
  readonly positions: Map<string, number>;
}

/** One application over the broker in memory: the same tasks, commits and restores as on Kafka, driven by hand. */
export class DrivenApplication {
  readonly id: string;
  readonly drops: Drop[] = [];
  readonly changes = new StoreChanges();
  readonly #topology: Topology;
  readonly #broker: InMemoryBroker;
  readonly #options: ApplicationOptions;
  readonly #limits = new ProductionLimits();
  #globals: GlobalTables;
  #tasks: RunningTask[] = [];

  constructor(id: string, topology: Topology, broker: InMemoryBroker, options: ApplicationOptions) {
    this.id = id;
    this.#topology = topology;
    this.#broker = broker;
    this.#options = options;
    const limits = Object.entries(options.maxMessageBytes);
    this.#limits.take(
      new Map(limits.map(([topic, bytes]) => [topic, new Map([['max.message.bytes', String(bytes)]])])),
    );
    this.#createTopics();
    this.#globals = new GlobalTables(id, topology.globalTables, options.storage('global'));
    this.#startTasks();
  }

  #createTopics(): void {
    const plan = this.#topology.plan(this.id);
    const sources = plan.subTopologies.flatMap((sub) => sub.sources);
    const internal = new Set(sources.filter((source) => source.internal).map((source) => source.topic));
    const external = [...plan.globalTables, ...sources]
      .map(({ topic }) => topic)
      .filter((topic) => !internal.has(topic));
    for (const topic of external) this.#createWithDeadLetters(topic);
    for (const topic of plan.subTopologies.flatMap((sub) => sub.sinkTopics)) {
      if (!internal.has(topic)) this.#broker.createTopic(topic, this.#options.partitionsOf(topic));
    }
    const counts = new Map(external.map((topic) => [topic, this.#broker.partitionsOf(topic)]));
    for (const [topic, width] of internalWidths(plan, counts)) {
      this.#broker.createTopic(topic, width);
      this.#broker.createTopic(deadLetterTopicOf(topic), width);
    }
    checkCoPartitioning(plan, (topic) => this.#broker.partitionsOf(topic));
  }

  #createWithDeadLetters(topic: string): void {
    this.#broker.createTopic(topic, this.#options.partitionsOf(topic));
    this.#broker.createTopic(deadLetterTopicOf(topic), this.#broker.partitionsOf(topic));
  }

  #startTasks(): void {
    const plan = this.#topology.plan(this.id);
    this.#tasks = [];
    for (const [index, sub] of this.#topology.subTopologies.entries()) {
      const sources = plan.subTopologies[index]?.sources ?? [];
      const count = Math.max(0, ...sources.map((source) => this.#broker.partitionsOf(source.topic)));
      for (const store of sub.stores) {
        if (store.spec.logged) this.#broker.createTopic(changelogTopicOf(this.id, store.spec.name), count);
      }
      for (let partition = 0; partition < count; partition += 1) {
        const storage = this.#options.storage(`${sub.id}_${partition}`);
        const task = new StreamTask({
          applicationId: this.id,
          sub,
          partition,
          storage,
          changes: this.changes,
          globalStores: this.#globals.stores,
          partitionsOf: (topic) => this.#partitionsOf(topic),
          now: this.#options.now,
          onMalformed: this.#options.onMalformed,
          onFailure: this.#options.onFailure,
          onProductionError: this.#options.onProductionError,
          limits: this.#limits,
          collector: () => new RecordList(),
          onReady: this.#options.onReady,
          onDropped: (node, reason, record) => this.drops.push({ application: this.id, node, reason, record }),
        });
        for (const changelog of task.changelogs) {
          const batch = this.#broker.fetch(changelog, changelog.position);
          task.restore(changelog.store, batch.records, batch.nextOffset);
        }
        const committed = this.#broker.committed(this.id, task.inputs);
        for (const reread of task.rereads(committed)) {
          const from = this.#broker.offsetForTime(reread, reread.sinceMs);
          reread.take(this.#broker.fetch(reread, from).records);
        }
        task.start(committed);
        const positions = new Map(
          task.inputs.map((input) => [
            partitionName(input),
            committed.find((one) => one.topic === input.topic && one.partition === input.partition)?.offset ?? 0,
          ]),
        );
        this.#tasks.push({ task, storage, sub, positions });
        this.#commit(task); // what processors did in init
      }
    }
  }

  #partitionsOf(topic: string): number {
    if (this.#broker.has(topic)) return this.#broker.partitionsOf(topic);
    throw new ProductionError(topic, `there is no topic ${topic}; nothing was sent. Create it first.`);
  }

  get globals(): GlobalTables {
    return this.#globals;
  }

  /** Its committed rows, as on a worker that has all tasks. */
  get queries(): ApplicationQueries {
    const { id: applicationId } = this;
    const rows = new LocalRows({
      applicationId,
      instanceId: 'driver',
      topology: this.#topology,
      kafka: { endOffsets: async () => new Map(), committedOffsets: async () => [] }, // asked for no running task
      local: () => this.#local,
    });
    return new ApplicationQueries(applicationId, rows, null, this.changes);
  }

  get #local(): LocalState {
    const running = (id: string) => this.#tasks.find(({ task }) => task.id === id);
    return {
      state: 'RUNNING',
      generationId: 1,
      lags: [],
      parked: [],
      taskIds: this.#tasks.map(({ task }) => task.id),
      globals: this.#globals,
      task: (id) => (running(id) === undefined ? null : { running: true, lag: this.#lagOf(id) }),
      look: (id, read) => {
        const storage = running(id)?.storage;
        return storage === undefined ? null : read(storage);
      },
      partitionsOf: (topic) => this.#broker.partitionsOf(topic),
    };
  }

  #lagOf(taskId: string): number {
    const { task, positions } = this.#tasks.find((one) => one.task.id === taskId) ?? {};
    return (task?.inputs ?? []).reduce((sum, input) => {
      const behind = this.#broker.end(input) - (positions?.get(partitionName(input)) ?? 0);
      return sum + behind + (task?.buffered(input) ?? 0);
    }, 0);
  }

  get tasks(): readonly StreamTask[] {
    return this.#tasks.map((running) => running.task);
  }

  /** Input partitions with records that were not delivered yet, those of global tables included. */
  waiting(): readonly TopicPartition[] {
    const globals = this.#globalPartitions().filter(
      (partition) => this.#globals.position(partition) < this.#broker.end(partition),
    );
    const inputs = this.#tasks.flatMap(({ task, positions }) =>
      task.inputs.filter((input) => (positions.get(partitionName(input)) ?? 0) < this.#broker.end(input)),
    );
    return [...globals, ...inputs];
  }

  #globalPartitions(): readonly TopicPartition[] {
    return this.#globals.inputs.flatMap(({ topic }) =>
      Array.from({ length: this.#broker.partitionsOf(topic) }, (_, partition) => ({ topic, partition })),
    );
  }

  /** Brings the global tables up to date: on Kafka they are read before a task starts and beside it. */
  readGlobals(): void {
    if (this.#globals.inputs.length === 0) return;
    for (const partition of this.#globalPartitions()) {
      const position = this.#globals.position(partition);
      if (position < this.#broker.end(partition)) this.#deliverGlobal(partition, Number.POSITIVE_INFINITY);
    }
  }

  #deliverGlobal(partition: TopicPartition, max: number): void {
    this.#globals.addRecords(this.#broker.fetch(partition, this.#globals.position(partition), max));
    const { letters, sent } = this.#globals.takeDeadLetters();
    this.#broker.append(letters);
    sent();
  }

  /** Delivers the next record of one partition, processes it and commits. */
  deliver(partition: TopicPartition, crash?: CrashPoint): void {
    if (this.#globals.inputs.some((input) => input.topic === partition.topic)) {
      this.#deliverGlobal(partition, 1);
      return;
    }
    const running = this.#tasks.find(({ positions }) => positions.has(partitionName(partition)));
    if (running === undefined) throw new Error(`${this.id} does not read ${partitionName(partition)}`);
    const { task, positions } = running;
    const name = partitionName(partition);
    const batch = this.#broker.fetch(partition, positions.get(name) ?? 0, 1);
    positions.set(name, batch.nextOffset);
    for (const input of task.inputs)
      task.addRecords({ ...this.#broker.fetch(input, 0, 0), nextOffset: this.#broker.end(input) });
    task.addRecords({ ...batch, lastStableOffset: batch.nextOffset });
    task.process();
    if (crash === 'before-commit') return;
    this.#commit(task, crash);
  }

  /** Processes what has been delivered and was waiting for an answer. @returns whether there was anything */
  processAnswered(): boolean {
    const ready = this.#tasks.filter(({ task }) => task.ready());
    for (const { task } of ready) {
      task.process();
      this.#commit(task);
    }
    return ready.length > 0;
  }

  /** Each task takes up to `records` of what waits and commits them together. @returns whether anything was taken */
  deliverSlices(records: number): boolean {
    let taken = 0;
    for (const { task, positions } of this.#tasks) {
      for (const input of task.inputs) {
        const name = partitionName(input);
        const batch = this.#broker.fetch(input, positions.get(name) ?? 0, records - task.buffered(input));
        positions.set(name, batch.nextOffset);
        task.addRecords(batch);
      }
      taken += task.process({ maxRecords: records });
      this.#commit(task);
    }
    return taken > 0;
  }

  punctuate(nowMs: number): void {
    for (const { task } of this.#tasks) {
      task.punctuate(nowMs);
      this.#commit(task);
    }
  }

  /** Every task is lost as by SIGKILL and starts again from what was committed. */
  restart(): void {
    for (const { task } of this.#tasks) task.close();
    this.#globals = new GlobalTables(this.id, this.#topology.globalTables, this.#options.storage('global'));
    this.readGlobals();
    this.#startTasks();
  }

  close(): void {
    this.changes.close();
    for (const { task } of this.#tasks) task.close();
  }

  #commit(task: StreamTask, crash?: CrashPoint): void {
    const commit = task.takeCommit();
    if (commit === null) return;
    const base = this.#broker.append(commit.records);
    this.#broker.commit(this.id, commit.offsets);
    if (crash !== 'after-commit') task.committed(base);
  }
}

export const memoryStorages = (): ((taskId: string) => TaskStorage) => () => new MemoryStorage();
