import { EngineRuleError, NodeError, TaskFailedError } from '../errors.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import type {
  BaseOffsets,
  CommittedOffset,
  ConsumedRecord,
  FetchedBatch,
  Header,
  ProducedRecord,
  TopicPartition,
} from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { taskIdOf } from '../plan/application-plan.ts';
import type { DropReason, PunctuationType, SinkNode, SourceNode, StoreBuilder, TaskContext } from '../plan/node.ts';
import { changelogTopicOf, repartitionTopicOf, type SubTopology, topicOf } from '../plan/topology.ts';
import { Overlay, UndoLog } from '../state/overlay.ts';
import type { RowWrite, StateStore, TaskStorage } from '../state/state-store.ts';
import { deadLetterOf } from './dead-letter.ts';
import { NodeGraph } from './node-graph.ts';
import { PartitionGroup } from './partition-group.ts';
import { Punctuators } from './punctuators.ts';
import type { AnyRecord, RecordMetadata } from './record.ts';
import type { ChangelogPosition, Task, TaskCommit } from './task.ts';

/** What to do with a record that cannot be read, or that a node failed with. */
export type FailureHandling = 'dead-letter' | 'fail' | 'continue';

export interface TaskOptions {
  readonly applicationId: string;
  readonly sub: SubTopology;
  readonly partition: number;
  readonly storage: TaskStorage;
  /** Typed stores of the application's global tables. */
  readonly globalStores: ReadonlyMap<string, StateStore>;
  readonly partitionsOf: (topic: string) => number;
  readonly now: () => number;
  readonly maxTaskIdleMs?: number;
  readonly onMalformed?: FailureHandling;
  readonly onFailure?: FailureHandling;
  /** Told of each record that went no further, with the reason. */
  readonly onDropped?: (node: string, reason: DropReason, record: RecordMetadata | null, cause?: unknown) => void;
}

interface OpenStore {
  readonly builder: StoreBuilder;
  readonly overlay: Overlay;
  readonly changelog: string | null;
  store: StateStore;
  /** Entries of the transaction in flight. */
  inFlight: number;
}

const noHeaders: readonly Header[] = [];
/** Of an offset that somebody else has committed (a reset tool) nothing is known. */
const timeOf = (metadata: string | null | undefined): number =>
  metadata && Number.isFinite(Number(metadata)) ? Number(metadata) : -1;
const positionOf = (store: string): string => `changelog:${store}`;

/** See `Task`. One partition of one sub-topology. */
export class StreamTask implements Task, TaskContext {
  readonly id: string;
  readonly applicationId: string;
  readonly partition: number;
  readonly inputs: readonly TopicPartition[];
  readonly #options: TaskOptions;
  readonly #sources = new Map<string, SourceNode>();
  readonly #stores = new Map<string, OpenStore>();
  readonly #undo = new UndoLog();
  readonly #buffers: PartitionGroup;
  #graph: NodeGraph | null = null;
  #punctuators = new Punctuators();
  #outputs: ProducedRecord[] = [];
  /** Next offset and partition time per input, moved since the last take. */
  #positions = new Map<string, { readonly partition: TopicPartition; offset: number; time: number }>();
  #moved = new Set<string>();
  #streamTime = -1;
  #metadata: RecordMetadata | null = null;
  #recordTime = 0;
  #failure: unknown = null;
  #failed = false;
  #failures = 0;
  #inFlight = false;

  constructor(options: TaskOptions) {
    this.#options = options;
    this.applicationId = options.applicationId;
    this.partition = options.partition;
    this.id = taskIdOf(options.sub.id, options.partition);
    for (const source of options.sub.sources) this.#sources.set(topicOf(options.applicationId, source), source);
    this.inputs = [...this.#sources.keys()]
      .filter((topic) => options.partition < options.partitionsOf(topic))
      .map((topic) => ({ topic, partition: options.partition }));
    this.#buffers = new PartitionGroup(this.inputs, options.maxTaskIdleMs ?? 0, options.now);
    for (const builder of options.sub.stores) this.#openStore(builder);
  }

  #openStore(builder: StoreBuilder): void {
    const { name, logged } = builder.spec;
    const changelog = changelogTopicOf(this.applicationId, name);
    const overlay = new Overlay(this.#options.storage.store(builder.spec), this.#undo);
    const store = builder.open({ overlay, topic: changelog, now: () => this.#recordTime });
    this.#stores.set(name, { builder, overlay, changelog: logged ? changelog : null, store, inFlight: 0 });
  }

  // ---- restore and start

  get changelogs(): readonly ChangelogPosition[] {
    return [...this.#stores].flatMap(([store, { changelog }]) =>
      changelog === null
        ? []
        : [{ store, topic: changelog, partition: this.partition, position: this.#changelogPosition(store) }],
    );
  }

  #changelogPosition(store: string): number {
    return Number(this.#options.storage.metadata(positionOf(store)) ?? 0);
  }

  restore(store: string, records: readonly ConsumedRecord[], nextOffset: number): void {
    const rows = records.flatMap((record): RowWrite[] => (record.key === null ? [] : [[record.key, record.value]]));
    this.#options.storage.write({
      rows: new Map([[store, rows]]),
      metadata: new Map([[positionOf(store), String(nextOffset)]]),
    });
  }

  wipe(store: string): void {
    this.#options.storage.clear(store);
    this.#options.storage.write({ rows: new Map(), metadata: new Map([[positionOf(store), null]]) });
  }

  start(committed: readonly CommittedOffset[]): void {
    this.#positions = new Map();
    this.#moved = new Set();
    this.#streamTime = -1;
    for (const input of this.inputs) {
      const offset = committed.find((one) => one.topic === input.topic && one.partition === input.partition);
      const time = timeOf(offset?.metadata);
      this.#positions.set(partitionName(input), { partition: input, offset: offset?.offset ?? 0, time });
      this.#streamTime = Math.max(this.#streamTime, time);
    }
    this.#punctuators = new Punctuators();
    for (const open of this.#stores.values()) {
      open.store = open.builder.open({
        overlay: open.overlay,
        topic: changelogTopicOf(this.applicationId, open.builder.spec.name),
        now: () => this.#recordTime,
      });
    }
    this.#graph = new NodeGraph(this.#options.sub, this, (node, record) => this.#send(node, record));
    this.#stopIfFailed(null);
  }

  // ---- records in

  prepare(batch: FetchedBatch): Promise<void> | undefined {
    const source = this.#sources.get(batch.topic);
    if (source === undefined) return undefined;
    let waits: Promise<void>[] | undefined;
    for (const { key, value } of batch.records) {
      const forKey = key === null ? undefined : source.keySerde.prepare?.(batch.topic, key);
      const forValue = value === null ? undefined : source.valueSerde.prepare?.(batch.topic, value);
      if (forKey !== undefined || forValue !== undefined) {
        waits ??= [];
        if (forKey !== undefined) waits.push(forKey);
        if (forValue !== undefined) waits.push(forValue);
      }
    }
    return waits === undefined ? undefined : Promise.all(waits).then(() => undefined);
  }

  addRecords(batch: FetchedBatch): void {
    this.#buffers.add(batch);
  }

  buffered(input: TopicPartition): number {
    return this.#buffers.buffered(input);
  }

  /** Next offset of an input that has not been processed. */
  position(input: TopicPartition): number {
    return this.#positions.get(partitionName(input))?.offset ?? 0;
  }

  ready(): boolean {
    return this.#graph !== null && this.#buffers.peek() !== null;
  }

  process(limits: { readonly maxRecords?: number; readonly maxMs?: number } = {}): number {
    const maxRecords = limits.maxRecords ?? Number.POSITIVE_INFINITY;
    const end = limits.maxMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + limits.maxMs;
    let taken = 0;
    while (taken < maxRecords) {
      const record = this.#buffers.peek();
      if (record === null) break;
      this.#buffers.take(record);
      this.#processOne(record);
      taken += 1;
      if ((taken & 31) === 0 && performance.now() > end) break;
    }
    return taken;
  }

  #processOne(raw: ConsumedRecord): void {
    const input = `${raw.topic}-${raw.partition}`;
    const position = this.#positions.get(input);
    const source = this.#sources.get(raw.topic);
    if (position === undefined || source === undefined) {
      throw new EngineRuleError(`task ${this.id} was given ${input}, which is not its input`);
    }
    this.#metadata = { topic: raw.topic, partition: raw.partition, offset: raw.offset };
    const record = this.#read(raw, source, position.time);
    if (record !== null) {
      if (record.timestamp > position.time) position.time = record.timestamp;
      if (record.timestamp > this.#streamTime) this.#streamTime = record.timestamp;
      this.#recordTime = record.timestamp;
      this.#undo.mark();
      const outputs = this.#outputs.length;
      this.#graph?.push(source.name, record);
      if (this.#failed) this.#failedWith(raw, source, outputs);
      this.#punctuate('stream-time', this.#streamTime);
    }
    position.offset = raw.offset + 1;
    this.#moved.add(input);
    this.#metadata = null;
  }

  /** Null: the record goes no further. */
  #read(raw: ConsumedRecord, source: SourceNode, partitionTime: number): AnyRecord | null {
    if (raw.key === null && source.nullKeys === 'dead-letter') {
      this.#refuse(raw, source, 'null-key', new Error(`${raw.topic} is keyed, and this record has no key`));
      return null;
    }
    if (raw.value === null && source.nullValues === 'dead-letter') {
      this.#refuse(
        raw,
        source,
        'null-value',
        new Error(`a record of ${raw.topic} must have a value, and this one has none`),
      );
      return null;
    }
    let key: unknown;
    let value: unknown;
    let timestamp = raw.timestamp;
    try {
      key = raw.key === null ? null : source.keySerde.deserialize(raw.topic, raw.key);
      value = raw.value === null ? null : source.valueSerde.deserialize(raw.topic, raw.value);
      if (source.timestampExtractor !== null) {
        timestamp = source.timestampExtractor({ key, value, timestamp }, partitionTime);
        if (!Number.isSafeInteger(timestamp))
          throw new RangeError(`the timestamp extractor of ${source.name} gave ${timestamp}, which is no epoch ms`);
      }
    } catch (error) {
      this.#refuse(raw, source, 'malformed', error);
      return null;
    }
    if (timestamp < 0) {
      this.dropped(source.name, 'negative-timestamp');
      return null;
    }
    return { key, value, timestamp, headers: raw.headers };
  }

  /** A record that cannot even be read. */
  #refuse(raw: ConsumedRecord, source: SourceNode, reason: DropReason, cause: unknown): void {
    const handling = source.internal === null ? (this.#options.onMalformed ?? 'dead-letter') : 'fail';
    if (handling === 'fail') throw new TaskFailedError(this.id, raw, cause);
    if (handling === 'dead-letter') this.#outputs.push(deadLetterOf(raw, reason, cause, this.applicationId, this.id));
    this.#options.onDropped?.(source.name, reason, this.#metadata, cause);
  }

  /** A node failed: what the record wrote and sent is taken back before anything else happens. */
  #failedWith(raw: ConsumedRecord, source: SourceNode, outputs: number): void {
    const failure = this.#failure;
    this.#failed = false;
    this.#failure = null;
    this.#failures += 1;
    this.#undo.rollBack();
    this.#outputs.length = outputs;
    const handling = source.internal === null ? (this.#options.onFailure ?? 'fail') : 'fail';
    if (failure instanceof EngineRuleError || handling === 'fail') throw new TaskFailedError(this.id, raw, failure);
    if (handling === 'dead-letter')
      this.#outputs.push(deadLetterOf(raw, 'failed', failure, this.applicationId, this.id));
    const node = failure instanceof NodeError ? failure.node : source.name;
    this.#options.onDropped?.(node, 'failed', this.#metadata, failure);
  }

  #stopIfFailed(record: RecordMetadata | null): void {
    if (!this.#failed) return;
    const failure = this.#failure;
    this.#failed = false;
    this.#failure = null;
    throw new TaskFailedError(this.id, record, failure);
  }

  // ---- time

  punctuate(nowMs: number): number {
    return this.#punctuate('wall-clock-time', nowMs);
  }

  #punctuate(type: PunctuationType, nowMs: number): number {
    if (this.#punctuators.isEmpty) return 0;
    const metadata = this.#metadata;
    this.#metadata = null;
    const ran = this.#punctuators.runDue(type, nowMs, (callback) => {
      this.#undo.mark();
      this.#recordTime = nowMs;
      callback(nowMs);
      this.#stopIfFailed(null);
    });
    this.#metadata = metadata;
    return ran;
  }

  get nextPunctuationMs(): number {
    return this.#punctuators.nextWallClock;
  }

  // ---- what nodes see

  get taskId(): string {
    return this.id;
  }
  get streamTime(): number {
    return this.#streamTime;
  }
  get metadata(): RecordMetadata | null {
    return this.#metadata;
  }
  get failed(): boolean {
    return this.#failed;
  }
  get failures(): number {
    return this.#failures;
  }
  wallClock(): number {
    return this.#options.now();
  }
  store(name: string): StateStore {
    const store = this.#stores.get(name)?.store ?? this.#options.globalStores.get(name);
    if (store === undefined) throw new EngineRuleError(`task ${this.id} has no store ${name}; name it in "stores"`);
    return store;
  }
  hasStore(name: string): boolean {
    return this.#stores.has(name);
  }
  schedule(intervalMs: number, type: PunctuationType, callback: (nowMs: number) => void) {
    const start = type === 'wall-clock-time' ? this.wallClock() + intervalMs : 0;
    return this.#punctuators.add(type, intervalMs, callback, start);
  }
  fail(node: string, error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error instanceof EngineRuleError ? error : new NodeError(node, error);
  }
  dropped(node: string, reason: DropReason): void {
    this.#options.onDropped?.(node, reason, this.#metadata);
  }
  produce(
    topic: string,
    partition: number | null,
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestamp: number,
    headers: readonly Header[],
  ): void {
    const to = partition ?? partitionForKey(key, this.#options.partitionsOf(topic));
    this.#outputs.push({ topic, partition: to, timestamp, key, value, headers });
  }

  #send(node: SinkNode, record: AnyRecord): void {
    const named = typeof node.topic === 'string' ? node.topic : node.topic(record.key, record.value, record);
    const topic = node.internal ? repartitionTopicOf(this.applicationId, named) : named;
    const key = record.key === null ? null : node.keySerde.serialize(topic, record.key);
    const value = record.value === null ? null : node.valueSerde.serialize(topic, record.value);
    const count = this.#options.partitionsOf(topic);
    const partition = node.partitioner?.(record.key, record.value, count) ?? null;
    if (partition !== null && !(Number.isInteger(partition) && partition >= 0 && partition < count))
      throw new RangeError(`its partitioner chose ${partition}; ${topic} has the partitions 0 to ${count - 1}`);
    this.produce(topic, partition, key, value, record.timestamp, record.headers);
  }

  // ---- commit

  /** Records that the next transaction would carry. */
  get uncommitted(): number {
    let count = this.#outputs.length;
    for (const { overlay } of this.#stores.values()) count += overlay.dirtyCount;
    return count;
  }

  get dirty(): boolean {
    if (this.#outputs.length > 0 || this.#moved.size > 0) return true;
    for (const { overlay } of this.#stores.values()) if (overlay.dirty) return true;
    return false;
  }

  takeCommit(): TaskCommit | null {
    if (this.#inFlight) throw new EngineRuleError(`task ${this.id} has a commit in flight; wait for its answer`);
    if (!this.dirty) return null;
    this.#inFlight = true;
    const records = this.#outputs;
    this.#outputs = [];
    for (const open of this.#stores.values()) {
      open.inFlight = 0;
      for (const row of open.overlay.takeDirty()) {
        if (open.changelog === null) continue;
        const { key, value, timestamp } = row;
        records.push({ topic: open.changelog, partition: this.partition, timestamp, key, value, headers: noHeaders });
        open.inFlight += 1;
      }
    }
    const named = this.#moved.size > 0 ? this.#moved : this.#positions.keys();
    const offsets = [...named].flatMap((name): CommittedOffset[] => {
      const position = this.#positions.get(name);
      if (position === undefined) return [];
      return [{ ...position.partition, offset: position.offset, metadata: String(position.time) }];
    });
    this.#moved = new Set();
    return { records, offsets };
  }

  committed(baseOffsets: BaseOffsets): void {
    const rows = new Map<string, Iterable<RowWrite>>();
    const metadata = new Map<string, string>();
    for (const [name, open] of this.#stores) {
      rows.set(name, open.overlay.frozenRows());
      if (open.changelog === null || open.inFlight === 0) continue;
      const base = baseOffsets.get(partitionName({ topic: open.changelog, partition: this.partition }));
      if (base === undefined)
        throw new EngineRuleError(`the commit of task ${this.id} lost its place in ${open.changelog}`);
      metadata.set(positionOf(name), String(base + open.inFlight));
    }
    this.#options.storage.write({ rows, metadata });
    for (const { overlay } of this.#stores.values()) overlay.thaw();
    this.#inFlight = false;
  }

  aborted(): void {
    this.#drop();
  }

  close(): void {
    const failure = this.#drop();
    if (failure !== null) throw failure;
  }

  /** @returns what a processor's close threw */
  #drop(): unknown {
    this.#failed = false;
    this.#failure = null;
    this.#graph?.close();
    const failure = this.#failure;
    this.#graph = null;
    this.#buffers.clear();
    this.#outputs = [];
    this.#failed = false;
    this.#failure = null;
    this.#inFlight = false;
    this.#undo.mark();
    for (const { overlay } of this.#stores.values()) overlay.drop();
    return failure;
  }
}
