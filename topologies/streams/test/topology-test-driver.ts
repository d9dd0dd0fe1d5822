import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TopicLike } from '../dsl/streams-builder.ts';
import type { Windowed } from '../dsl/windowed.ts';
import { InMemoryBroker } from '../kafka/in-memory-broker.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import type { Header, TopicPartition } from '../kafka/port.ts';
import { Topology } from '../plan/topology.ts';
import type { ApplicationQueries } from '../query/application-queries.ts';
import type { FailureHandler, FailureHandling, ProductionHandler } from '../runtime/failure-handling.ts';
import type { Serde } from '../serde.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import type { ReadOnlySessionStore } from '../state/session-store.ts';
import type {
  KeyValueStore,
  StateStore,
  TaskStorage,
  TimestampedKeyValueStore,
  ValueAndTimestamp,
} from '../state/state-store.ts';
import type { VersionedKeyValueStore } from '../state/versioned-store.ts';
import type { ReadOnlyWindowStore } from '../state/window-store.ts';
import { type CrashPoint, DrivenApplication, type Drop } from './driven-application.ts';

export interface DriverOptions {
  /** Of a single topology. Default `test`. */
  readonly applicationId?: string;
  /** Of every topic that is not there yet. Default 1. */
  readonly partitions?: number;
  /** Of topics whose count is another one, by name. */
  readonly topicPartitions?: Readonly<Record<string, number>>;
  /** Epoch ms at which the wall clock stands. Default 0. */
  readonly startWallClockMs?: number;
  readonly onMalformed?: FailureHandling;
  readonly onFailure?: FailureHandler;
  readonly onProductionError?: ProductionHandler;
  /** See `StreamsWorkerOptions`. To redrive a key, send a record of it without a value to `<application-id>-<sub-topology>-redrive`. */
  readonly parkDeadLetters?: boolean;
  /** `max.message.bytes` by topic; where nothing is said, there is no limit. */
  readonly maxMessageBytes?: Readonly<Record<string, number>>;
  /** Storage of a task; called again for the same task after a crash. Default: memory that is lost with the crash. */
  readonly storage?: (applicationId: string, taskId: string) => TaskStorage;
  /**
   * Default 1: `run` gives each record its own commit, partition after partition. More: a task takes up to so many before it commits, in the
   * order of their times over all its inputs, as a worker's does. For much input, and for what must not depend on where commits fall.
   */
  readonly recordsPerCommit?: number;
}

/** One record that `step` may deliver next. */
export interface Step extends TopicPartition {
  readonly application: string;
}

export interface TestRecord<K, V> {
  readonly key: K | null;
  readonly value: V | null;
  readonly timestamp: number;
  readonly partition: number;
  readonly headers: readonly Header[];
}

export interface InputTopic<K, V> {
  /** Sends one record and runs everything until nothing is left to do. Without a time the wall clock is the record's time. */
  pipeInput(key: K | null, value: V | null, timestampMs?: number): void;
  /** Sends without running: `step` and `run` deliver it. */
  send(key: K | null, value: V | null, timestampMs?: number): void;
  /** Bytes as they are, for what a serde would never write. */
  sendBytes(key: Uint8Array | null, value: Uint8Array | null, timestampMs?: number): void;
}

export interface OutputTopic<K, V> {
  /** What came since the last read, partition by partition. */
  readRecords(): readonly TestRecord<K, V>[];
  readKeyValues(): readonly (readonly [K | null, V | null])[];
  readValues(): readonly (V | null)[];
  /** As the last read left it; nothing is consumed. */
  readonly isEmpty: boolean;
}

/**
 * Runs one topology, or several applications, over a broker in memory: partitions, repartition topics, changelogs, commits and restores are
 * the engine's own, only time and the order of delivery are the test's. Deterministic.
 */
export class TopologyTestDriver implements Disposable {
  readonly broker = new InMemoryBroker();
  readonly #applications: DrivenApplication[];
  readonly #partitionsOf: (topic: string) => number;
  readonly #recordsPerCommit: number;
  #nowMs: number;
  /** Of `settle`: the next answer of a call. */
  #answered = Promise.withResolvers<void>();

  constructor(topologies: Topology | Readonly<Record<string, Topology>>, options: DriverOptions = {}) {
    this.#partitionsOf = (topic) => options.topicPartitions?.[topic] ?? options.partitions ?? 1;
    this.#recordsPerCommit = options.recordsPerCommit ?? 1;
    this.#nowMs = options.startWallClockMs ?? 0;
    const all = topologies instanceof Topology ? { [options.applicationId ?? 'test']: topologies } : topologies;
    this.#applications = Object.entries(all).map(
      ([id, topology]) =>
        new DrivenApplication(id, options.parkDeadLetters ? topology.parkingDeadLetters() : topology, this.broker, {
          now: () => this.#nowMs,
          partitionsOf: this.#partitionsOf,
          onMalformed: options.onMalformed ?? 'dead-letter',
          onFailure: options.onFailure ?? 'fail',
          onProductionError: options.onProductionError ?? 'fail',
          maxMessageBytes: options.maxMessageBytes ?? {},
          onReady: () => this.#answered.resolve(),
          storage: (taskId) => options.storage?.(id, taskId) ?? new MemoryStorage(),
        }),
    );
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Records that went no further, with the reason. */
  get drops(): readonly Drop[] {
    return this.#applications.flatMap((application) => application.drops);
  }

  inputTopic<K, V>(topic: TopicLike<K, V>): InputTopic<K, V> {
    this.broker.createTopic(topic.name, this.#partitionsOf(topic.name));
    const send = (key: Uint8Array | null, value: Uint8Array | null, timestampMs: number | undefined): void => {
      const partition = partitionForKey(key, this.broker.partitionsOf(topic.name));
      const timestamp = timestampMs ?? this.#nowMs;
      this.broker.append([{ topic: topic.name, partition, timestamp, key, value, headers: [] }]);
    };
    const typed = (key: K | null, value: V | null, timestampMs?: number): void =>
      send(
        key === null ? null : topic.keySerde.serialize(topic.name, key),
        value === null ? null : topic.valueSerde.serialize(topic.name, value),
        timestampMs,
      );
    return {
      send: typed,
      sendBytes: send,
      pipeInput: (key, value, timestampMs) => {
        typed(key, value, timestampMs);
        this.run();
      },
    };
  }

  outputTopic<K, V>(topic: TopicLike<K, V>): OutputTopic<K, V> {
    this.broker.createTopic(topic.name, this.#partitionsOf(topic.name));
    const read = new Map<number, number>();
    const typed = <T>(serde: Serde<T>, bytes: Uint8Array | null): T | null =>
      bytes === null ? null : serde.deserialize(topic.name, bytes);
    const unread = () =>
      this.broker.records(topic.name).filter((record) => record.offset >= (read.get(record.partition) ?? 0));
    const readRecords = (): readonly TestRecord<K, V>[] =>
      unread().map((record) => {
        read.set(record.partition, record.offset + 1);
        const { timestamp, partition, headers } = record;
        return {
          key: typed(topic.keySerde, record.key),
          value: typed(topic.valueSerde, record.value),
          timestamp,
          partition,
          headers,
        };
      });
    return {
      readRecords,
      readKeyValues: () => readRecords().map(({ key, value }) => [key, value] as const),
      readValues: () => readRecords().map(({ value }) => value),
      get isEmpty() {
        return unread().length === 0;
      },
    };
  }

  /**
   * Delivers everything, partitions in the order of applications and inputs, until nothing is left (see `recordsPerCommit`). What waits for
   * a call of `mapAsync` that has no answer stays waiting: see `settle`.
   */
  run(): void {
    for (;;) {
      let delivered = false;
      for (const application of this.#applications) {
        application.readGlobals();
        if (this.#recordsPerCommit > 1) {
          if (application.deliverSlices(this.#recordsPerCommit)) delivered = true;
          continue;
        }
        if (application.processAnswered()) delivered = true;
        for (const partition of application.waiting()) {
          application.deliver(partition);
          for (const one of this.#applications) one.readGlobals();
          delivered = true;
        }
      }
      if (!delivered) return;
    }
  }

  /** Calls of `mapAsync` that have no answer yet. */
  get callsInFlight(): number {
    return this.#applications.reduce((sum, { tasks }) => sum + tasks.reduce((n, task) => n + task.callsInFlight, 0), 0);
  }

  /** Runs, and waits, until every call of `mapAsync` is answered and processed. Calls that are never answered end by `advanceWallClock`. */
  async settle(): Promise<void> {
    for (;;) {
      this.#answered = Promise.withResolvers();
      this.run();
      if (this.callsInFlight === 0) return;
      await this.#answered.promise;
    }
  }

  /** For tests that answer by hand: runs with the answers that are given by now, and leaves the other calls open. */
  async takeAnswers(): Promise<void> {
    await nextTurn(); // a promise that is resolved has told everybody by then
    this.run();
  }

  /** What could be delivered next. The order inside a partition is kept; between partitions every order is one that Kafka may give. */
  waiting(): readonly Step[] {
    return this.#applications.flatMap((application) =>
      application.waiting().map((partition) => ({ application: application.id, ...partition })),
    );
  }

  /** Delivers the next record of the chosen partition. @returns what was delivered; null when nothing waits */
  step(choose: (waiting: readonly Step[]) => Step): Step | null {
    const waiting = this.waiting();
    if (waiting.length === 0) return null;
    const chosen = choose(waiting);
    this.#application(chosen.application).deliver(chosen);
    return chosen;
  }

  /** Moves the wall clock, runs the punctuators that are due and then everything that follows. */
  advanceWallClock(ms: number, options: { readonly run?: boolean } = {}): void {
    this.#nowMs += ms;
    for (const application of this.#applications) application.punctuate(this.#nowMs);
    if (options.run ?? true) this.run();
  }

  /**
   * Kills an application (or all of them) and starts it again from what was committed. With a point, the next waiting record is processed
   * first and the crash comes before the transaction, or between the transaction and the local write.
   */
  crash(at?: CrashPoint, applicationId?: string): void {
    for (const application of this.#applications) {
      if (applicationId !== undefined && application.id !== applicationId) continue;
      const next = application.waiting()[0];
      if (at !== undefined && next !== undefined) application.deliver(next, at);
      application.restart();
    }
  }

  /** What `StreamsWorker.query` gives: committed rows and changes, of all tasks. */
  query(applicationId?: string): ApplicationQueries {
    const [application] = this.#only(applicationId);
    if (application === undefined) throw new Error(`there is no application ${applicationId}`);
    return application.queries;
  }

  /** The rows of a store over all partitions of its application, or of a global table; for looking only. */
  getKeyValueStore<K, V>(name: string, applicationId?: string): RowsOf<K, V> {
    const applications = this.#only(applicationId);
    const ofTasks = applications
      .flatMap((application) => application.tasks)
      .flatMap((task) => task.store(name) ?? []) as KeyValueStore<K, V>[]; // the caller knows what it added
    const ofGlobals = applications.flatMap(({ globals }) => globals.stores.get(name) ?? []) as KeyValueStore<K, V>[]; // likewise
    return rowsOf(name, [...ofTasks, ...ofGlobals]);
  }

  /** The same with the time of each row: stores of tables and aggregations, and global tables. */
  getTimestampedKeyValueStore<K, V>(name: string, applicationId?: string): RowsOf<K, ValueAndTimestamp<V>> {
    const ofGlobals = this.#only(applicationId).flatMap(({ globals }) => globals.timestampedStores.get(name) ?? []);
    if (ofGlobals.length > 0) return rowsOf(name, ofGlobals as TimestampedKeyValueStore<K, V>[]); // likewise
    return this.getKeyValueStore(name, applicationId);
  }

  /** The windows of a processor's store over all partitions; for looking only. */
  getWindowStore<K, V>(name: string, applicationId?: string): WindowsOf<K, V> {
    const stores = this.#stores<ReadOnlyWindowStore<K, V>>(name, applicationId);
    return {
      fetch: (key, startMs) => stores.map((store) => store.fetch(key, startMs)).find((value) => value !== null) ?? null,
      all: () => stores.flatMap((store) => [...store.all()]),
    };
  }

  /** The windows of an aggregation, each with the time of its newest record. */
  getTimestampedWindowStore<K, V>(name: string, applicationId?: string): WindowsOf<K, ValueAndTimestamp<V>> {
    return this.getWindowStore(name, applicationId);
  }

  /** The sessions of an aggregation or of a processor's store over all partitions; for looking only. */
  getSessionStore<K, A>(name: string, applicationId?: string): SessionsOf<K, A> {
    const stores = this.#stores<ReadOnlySessionStore<K, A>>(name, applicationId);
    return {
      fetch: (key) => stores.flatMap((store) => [...store.fetch(key)]),
      all: () => stores.flatMap((store) => [...store.all()]),
    };
  }

  /** The latest version of each key, or, with a time, the one that was valid then. */
  getVersionedKeyValueStore<K, V>(name: string, applicationId?: string): VersionsOf<K, V> {
    const stores = this.#stores<VersionedKeyValueStore<K, V>>(name, applicationId);
    return {
      get: (key, asOf) => stores.map((store) => store.get(key, asOf)).find((version) => version !== null) ?? null,
      all: () => stores.flatMap((store) => [...store.all()]),
    };
  }

  #stores<S extends StateStore>(name: string, applicationId: string | undefined): readonly S[] {
    const tasks = this.#only(applicationId).flatMap((application) => application.tasks);
    const stores = tasks.flatMap((task) => task.store(name) ?? []) as S[]; // the caller knows what it added
    if (stores.length === 0) throw new Error(`no task has a store ${name}`);
    return stores;
  }

  #only(applicationId: string | undefined): readonly DrivenApplication[] {
    return this.#applications.filter((application) => applicationId === undefined || application.id === applicationId);
  }

  #application(id: string): DrivenApplication {
    const application = this.#applications.find((one) => one.id === id);
    if (application === undefined) throw new Error(`there is no application ${id}`);
    return application;
  }

  [Symbol.dispose](): void {
    for (const application of this.#applications) application.close();
  }
}

export type WindowsOf<K, V> = {
  fetch(key: K, startMs: number): V | null;
  all(): readonly (readonly [Windowed<K>, V])[];
};

export type SessionsOf<K, A> = {
  fetch(key: K): readonly (readonly [Windowed<K>, A])[];
  all(): readonly (readonly [Windowed<K>, A])[];
};

export type VersionsOf<K, V> = Pick<VersionedKeyValueStore<K, V>, 'get' | 'all'>;
export type RowsOf<K, V> = Pick<KeyValueStore<K, V>, 'get' | 'all'>;

function rowsOf<K, V>(name: string, stores: readonly KeyValueStore<K, V>[]): RowsOf<K, V> {
  if (stores.length === 0) throw new Error(`no task and no global table has a store ${name}`);
  return {
    get: (key) => stores.map((store) => store.get(key)).find((value) => value !== null) ?? null,
    all: () => stores.flatMap((store) => [...store.all()]),
  };
}
