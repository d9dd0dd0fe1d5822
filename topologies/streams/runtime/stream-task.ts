import { EngineRuleError, HeldRecordError, NodeError, type ProductionError, TaskFailedError } from '../errors.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import type {
  BaseOffsets,
  CommittedOffset,
  ConsumedRecord,
  FetchedBatch,
  FetchedRecords,
  Header,
  ProducedRecord,
  TopicPartition,
} from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { taskIdOf } from '../plan/application-plan.ts';
import type { DropReason, PunctuationType, SourceNode, TaskContext } from '../plan/node.ts';
import { internalTopicOf, parkedStoreOf, type SubTopology, topicOf } from '../plan/topology.ts';
import type { ParkedRecords } from '../state/parked-records.ts';
import type { StateStore } from '../state/state-store.ts';
import type { ApplicationTracing } from '../tracing/application-tracing.ts';
import { AsyncCalls } from './async-calls.ts';
import { type FailureHandling, handlingOf } from './failure-handling.ts';
import { type InputPosition, InputPositions } from './input-positions.ts';
import { LastRead } from './last-read.ts';
import { messageOf } from './log.ts';
import { NodeGraph } from './node-graph.ts';
import { Parking } from './parking.ts';
import { PartitionGroup } from './partition-group.ts';
import { Punctuators } from './punctuators.ts';
import { prepareRecords, readRecord, Unreadable } from './read-record.ts';
import type { AnyRecord, RecordMetadata } from './record.ts';
import type { Reread } from './reread.ts';
import { sinkOf } from './sink.ts';
import type { ChangelogPosition, Task, TaskCommit } from './task.ts';
import type { TaskOptions } from './task-options.ts';
import { TaskOutputs } from './task-outputs.ts';
import { TaskStores } from './task-stores.ts';

/** What a record of one topic goes through. */
interface TaskInlet {
  readonly source: SourceNode;
  readonly position: InputPosition;
  readonly push: (record: AnyRecord) => void;
}

/** See `Task`. One partition of one sub-topology. */
export class StreamTask implements Task, TaskContext {
  readonly id: string;
  readonly applicationId: string;
  readonly partition: number;
  readonly inputs: readonly TopicPartition[];
  readonly #options: TaskOptions;
  readonly #sources = new Map<string, SourceNode>();
  /** By topic; filled by `start`. */
  readonly #inlets = new Map<string, TaskInlet>();
  readonly #stores: TaskStores;
  readonly #positions = new InputPositions();
  readonly #lastRead = new LastRead();
  /** Of sources with an extractor: what has been read of the next record to know its time. */
  readonly #readAhead = new WeakMap<ConsumedRecord, AnyRecord | Unreadable>();
  readonly #buffers: PartitionGroup;
  /** Null: dead letters park nothing. */
  readonly #parking: Parking | null;
  /** What has become of a parked record that is processed again; null: none is under way. */
  #redriving: { isLetterAgain: boolean } | null = null;
  #graph: NodeGraph | null = null;
  #calls: AsyncCalls | null = null;
  #punctuators = new Punctuators();
  readonly #outputs: TaskOutputs;
  #streamTime = -1;
  /** Of the record under way, and at times the record itself; null outside one, also in a punctuator. */
  #current: RecordMetadata | null = null;
  #recordTime = 0;
  #failure: unknown = null;
  #failed = false;
  #failures = 0;
  #resuming = false;
  #inFlight = false;
  readonly #tracing: Pick<ApplicationTracing, 'record'> | null;
  #lateness = { count: 0, sumMs: 0, maxMs: 0 };

  constructor(options: TaskOptions) {
    this.#options = options;
    this.#tracing = options.tracing ?? null;
    this.applicationId = options.applicationId;
    this.partition = options.partition;
    this.id = taskIdOf(options.sub.id, options.partition);
    for (const source of options.sub.sources) this.#sources.set(topicOf(options.applicationId, source), source);
    this.#parking = this.#parkingOf(options.sub);
    const inputsOf = (topics: readonly string[]): TopicPartition[] =>
      topics
        .filter((topic) => options.partition < options.partitionsOf(topic))
        .map((topic) => ({ topic, partition: options.partition }));
    const fed = inputsOf([...this.#sources.keys()]);
    this.inputs = [...fed, ...inputsOf(this.#parking === null ? [] : [this.#parking.topic])];
    this.#outputs = new TaskOutputs(options, this.id, this.inputs[0] ?? null);
    this.#buffers = new PartitionGroup(fed, options.maxTaskIdleMs ?? 0, options.now, this.#timeByExtractor());
    this.#stores = new TaskStores({
      applicationId: options.applicationId,
      taskId: this.id,
      partition: options.partition,
      builders: options.sub.stores,
      storage: options.storage,
      recordTime: () => this.#recordTime,
      lastRead: this.#lastRead,
      ...(options.changes && { changes: options.changes }),
    });
  }

  #parkingOf({ id, redriveTopic }: SubTopology): Parking | null {
    if (redriveTopic === null) return null;
    const store = parkedStoreOf(id);
    return new Parking({
      topic: internalTopicOf(this.applicationId, redriveTopic),
      store: () => this.#stores.get(store) as ParkedRecords, // what its builder opens
      calls: () => this.#calls,
      take: (record) => this.#takeParked(record),
      onDone: (redrive, taken, left) => this.#redriven(redrive, taken, left),
    });
  }

  // ---- restore and start

  get changelogs(): readonly ChangelogPosition[] {
    return this.#stores.changelogs;
  }
  restore(store: string, records: FetchedRecords, nextOffset: number): void {
    this.#stores.restore(store, records, nextOffset);
  }
  wipe(store: string): void {
    this.#stores.wipe(store);
  }

  /** Stores to be filled from its own inputs, once the others are restored. */
  rereads(committed: readonly CommittedOffset[]): readonly Reread[] {
    const positions = new InputPositions();
    positions.start(this.inputs, committed);
    return this.#stores.rereads((source) => {
      const node = this.#options.sub.sources.find(({ name }) => name === source);
      return node && positions.get(topicOf(this.applicationId, node));
    });
  }

  start(committed: readonly CommittedOffset[]): void {
    this.#streamTime = this.#positions.start(this.inputs, committed);
    this.#punctuators = new Punctuators();
    this.#stores.reopen();
    const { sub } = this.#options;
    this.#calls = sub.nodes.some((node) => node.kind === 'processor' && node.asyncStep !== undefined)
      ? this.#asyncCalls()
      : null;
    const graph = new NodeGraph(sub, this, (node) => sinkOf(node, this, this.#lastRead, this.#options.partitionsOf));
    this.#graph = graph;
    this.#inlets.clear();
    for (const [topic, source] of this.#sources) {
      const position = this.#positions.get(topic);
      if (position !== undefined) this.#inlets.set(topic, { source, position, push: graph.entry(source.name) });
    }
    this.#stopIfFailed(null);
  }

  /** Which record is next hangs on the times that the sources' extractors give (`RecordQueue.updateHead`). Null: none has one. */
  #timeByExtractor(): ((record: ConsumedRecord) => number) | null {
    if ([...this.#sources.values()].every(({ timestampExtractor }) => timestampExtractor === null)) return null;
    return (raw) => {
      const source = this.#sources.get(raw.topic);
      if (source === undefined || source.timestampExtractor === null) return raw.timestamp;
      const record = readRecord(raw, source, this.#positions.get(raw.topic)?.time ?? -1);
      this.#readAhead.set(raw, record);
      return record instanceof Unreadable ? raw.timestamp : record.timestamp; // it is refused when its turn comes
    };
  }

  #asyncCalls(): AsyncCalls {
    return new AsyncCalls({
      applicationId: this.applicationId,
      taskId: this.id,
      partition: this.partition,
      sub: this.#options.sub,
      buffers: this.#buffers,
      now: this.#options.now,
      onAnswer: () => this.#options.onReady?.(),
    });
  }

  // ---- records in

  prepare(batch: FetchedBatch): Promise<void> | undefined {
    if (batch.topic === this.#parking?.topic) return this.#prepareParked(this.#parking.waitingFor(batch), batch);
    const source = this.#sources.get(batch.topic);
    return source === undefined ? undefined : prepareRecords(batch, source);
  }

  /** What is parked may have been read from the disk, and its schemas never been asked for by this process. */
  #prepareParked(records: readonly ConsumedRecord[], redrives: FetchedBatch): Promise<void> | undefined {
    const waits = records.flatMap((record) => {
      const source = this.#sources.get(record.topic);
      const wait = source && prepareRecords({ ...redrives, topic: record.topic, records: [record] }, source);
      return wait === undefined ? [] : [wait];
    });
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined);
  }

  addRecords(batch: FetchedBatch): void {
    if (batch.topic === this.#parking?.topic) this.#parking.add(batch);
    else this.#buffers.add(batch);
  }

  /** Records that wait behind dead letters; null: they park nothing, or the task has not been started. */
  get parked(): number | null {
    return this.#graph === null ? null : (this.#parking?.size ?? null);
  }

  buffered(input: TopicPartition): number {
    if (input.topic === this.#parking?.topic) return this.#parking.buffered;
    return this.#buffers.buffered(input);
  }

  /** Next offset of an input that has not been processed. */
  position(input: TopicPartition): number {
    return this.#positions.get(input.topic)?.offset ?? 0;
  }

  ready(): boolean {
    return this.#failed || this.#mayRedrive() || this.#next() !== null;
  }

  /** Calls of `mapAsync` that are not answered yet. */
  get callsInFlight(): number {
    return this.#calls?.inFlight ?? 0;
  }

  #mayRedrive(): boolean {
    return this.#parking !== null && this.#graph !== null && this.#parking.ready();
  }

  #next(): ConsumedRecord | null {
    const record = this.#graph === null ? null : this.#buffers.peek();
    return record !== null && (this.#calls === null || this.#calls.isAnswered(record)) ? record : null;
  }

  process(limits: { readonly maxRecords?: number; readonly maxMs?: number } = {}): number {
    const maxRecords = limits.maxRecords ?? Number.POSITIVE_INFINITY;
    const end = limits.maxMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + limits.maxMs;
    let taken = 0;
    this.#stopIfFailed(null);
    this.#calls?.ask();
    while (taken < maxRecords) {
      if (this.#mayRedrive()) this.#parking?.step();
      else {
        const record = this.#next();
        if (record === null) break;
        this.#buffers.take();
        this.#processOne(record);
        this.#calls?.taken(record);
      }
      taken += 1;
      if ((taken & 31) === 0 && performance.now() > end) break;
    }
    return taken;
  }

  #processOne(raw: ConsumedRecord): void {
    const inlet = this.#inlets.get(raw.topic);
    if (inlet === undefined)
      throw new EngineRuleError(`task ${this.id} was given ${partitionName(raw)}, which is not its input`);
    const { source, position } = inlet;
    this.#current = raw;
    if (this.#parking?.holds(raw.key)) this.#park(raw, source);
    else this.#take(raw, inlet);
    position.offset = raw.offset + 1;
    position.moved = true;
    this.#current = null;
  }

  #take(raw: ConsumedRecord, inlet: TaskInlet): void {
    const { source, position } = inlet;
    const ahead = source.timestampExtractor === null ? undefined : this.#readAhead.get(raw);
    const record = ahead ?? readRecord(raw, source, position.time);
    if (record instanceof Unreadable) {
      this.#refuse(raw, source, record);
      this.#leaveOut(source, raw.timestamp, false);
    } else if (record.timestamp < 0) this.dropped(source.name, 'negative-timestamp');
    else {
      if (record.timestamp > position.time) position.time = record.timestamp;
      if (record.timestamp > this.#streamTime) this.#streamTime = record.timestamp;
      else if (record.timestamp < this.#streamTime) this.#noteLateness(this.#streamTime - record.timestamp);
      this.#recordTime = record.timestamp;
      this.#lastRead.note(source, record.key, raw.key, record.value, raw.value);
      this.#stores.mark();
      const outputs = this.#outputs.length;
      const span = this.#tracing === null ? null : this.#tracing.record(raw, this.id);
      inlet.push(span === null ? record : { ...record, headers: span.headers });
      span?.end(this.#failure ?? undefined);
      if (this.#failed) this.#failedWith(raw, source, outputs);
      this.#punctuate('stream-time', this.#streamTime);
    }
  }

  /** Waits behind the dead letter of its key, and moves no time until it is processed. */
  #park(raw: ConsumedRecord, source: SourceNode): void {
    if (raw.key === null) return;
    this.#parking?.park(raw.key, raw);
    this.#leaveOut(source, raw.timestamp, false);
    this.dropped(source.name, 'parked');
  }

  /** A dead letter: what comes of its key waits, unless nobody can read the key. */
  #parkLetter(raw: ConsumedRecord, source: SourceNode): void {
    if (this.#redriving !== null) this.#redriving.isLetterAgain = true;
    else if (raw.key !== null && this.#parking !== null && isReadable(source, raw.key))
      this.#parking.park(raw.key, raw);
  }

  /** @returns false: it is a dead letter again */
  #takeParked(raw: ConsumedRecord): boolean {
    const inlet = this.#inlets.get(raw.topic);
    if (inlet === undefined) {
      const error = new Error(`${raw.topic} is no input of task ${this.id} any more`);
      this.#options.onDropped?.(raw.topic, 'parked', raw, error);
      return false;
    }
    const redriving = { isLetterAgain: false };
    this.#redriving = redriving;
    this.#current = raw;
    this.#stores.takeIn(inlet.source.name, raw.offset, raw.timestamp);
    const take = (): void => this.#take(raw, inlet);
    try {
      if (this.#calls === null) take();
      else this.#calls.takeApart(take);
    } finally {
      this.#redriving = null;
    }
    inlet.position.moved = true; // its time may have
    this.#current = null;
    return !redriving.isLetterAgain;
  }

  #redriven({ topic, partition, offset }: ConsumedRecord, taken: number, left: number): void {
    const position = this.#positions.get(topic);
    if (position === undefined) return;
    position.offset = offset + 1;
    position.moved = true;
    this.#options.onRedriven?.({ topic, partition, offset }, taken, left);
  }

  #noteLateness(ms: number): void {
    this.#lateness.count += 1;
    this.#lateness.sumMs += ms;
    if (ms > this.#lateness.maxMs) this.#lateness.maxMs = ms;
  }

  /** Of records behind stream time, since the last take. */
  takeLateness(): { readonly count: number; readonly sumMs: number; readonly maxMs: number } {
    const taken = this.#lateness;
    if (taken.count > 0) this.#lateness = { count: 0, sumMs: 0, maxMs: 0 };
    return taken;
  }

  /** A record that cannot even be read. */
  #refuse(raw: ConsumedRecord, source: SourceNode, { reason, cause }: Unreadable): void {
    const asked = source.internal === null ? (this.#options.onMalformed ?? 'dead-letter') : 'fail';
    const handling = this.#again(asked);
    if (handling === 'fail') throw new TaskFailedError(this.id, raw, cause);
    if (handling === 'dead-letter') {
      this.#outputs.deadLetter(raw, reason, cause);
      this.#parkLetter(raw, source);
    }
    this.#options.onDropped?.(source.name, reason, this.metadata, cause);
  }

  /** A node failed: what the record wrote and sent is taken back before anything else happens. */
  #failedWith(raw: ConsumedRecord, source: SourceNode, outputs: number): void {
    const failure = this.#failure;
    this.#failed = false;
    this.#failure = null;
    this.#failures += 1;
    this.#stores.rollBack();
    this.#outputs.takeBack(outputs);
    const node = failure instanceof NodeError ? failure.node : source.name;
    const noHandler = failure instanceof EngineRuleError || failure instanceof HeldRecordError;
    const handling = noHandler ? 'fail' : this.#again(this.#handlingOf(raw, node, failure));
    if (handling === 'fail') throw new TaskFailedError(this.id, raw, failure);
    if (handling === 'dead-letter') {
      this.#outputs.deadLetter(raw, 'failed', failure);
      this.#parkLetter(raw, source);
    }
    this.#leaveOut(source, raw.timestamp, true);
    this.#options.onDropped?.(node, 'failed', this.metadata, failure);
  }

  /** A record that was parked and fails once more is parked still: nobody's redrive stops the task. */
  #again(handling: FailureHandling): FailureHandling {
    return handling === 'fail' && this.#redriving !== null ? 'dead-letter' : handling;
  }

  #leaveOut(source: SourceNode, timestamp: number, movedTime: boolean): void {
    if (this.#current !== null) this.#stores.leaveOut(source.name, this.#current.offset, timestamp, movedTime);
  }

  #handlingOf(record: ConsumedRecord, node: string, failure: unknown): FailureHandling {
    const error = failure instanceof NodeError ? failure.cause : failure;
    const about = { applicationId: this.applicationId, taskId: this.id, node, error, record };
    return handlingOf(this.#options.onFailure, about, (own) => {
      const text = `onFailure threw while it was asked about: ${messageOf(failure)}`;
      return new TaskFailedError(this.id, record, new AggregateError([own, failure], text));
    });
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
    this.#stopIfFailed(null);
    this.#calls?.expire(nowMs);
    return this.#punctuate('wall-clock-time', nowMs);
  }

  #punctuate(type: PunctuationType, nowMs: number): number {
    if (this.#punctuators.isEmpty) return 0;
    const current = this.#current;
    this.#current = null;
    const ran = this.#punctuators.runDue(type, nowMs, (callback) => {
      this.#stores.mark();
      this.#recordTime = nowMs;
      callback(nowMs);
      this.#stopIfFailed(null);
    });
    this.#current = current;
    return ran;
  }

  get nextPunctuationMs(): number {
    return Math.min(
      this.#punctuators.nextWallClock,
      this.#calls?.nextDeadlineMs ?? Number.POSITIVE_INFINITY,
      this.#buffers.idleEndsMs,
    );
  }

  /** Records taken while another input was empty, at its end and idle for `maxTaskIdleMs`. */
  get enforced(): number {
    return this.#buffers.enforced;
  }

  // ---- what nodes see

  get taskId(): string {
    return this.id;
  }
  get subTopology(): number {
    return this.#options.sub.id;
  }
  get streamTime(): number {
    return this.#streamTime;
  }
  get metadata(): RecordMetadata | null {
    if (this.#current === null) return null;
    const { topic, partition, offset } = this.#current;
    return { topic, partition, offset };
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
    const store = this.#stores.get(name) ?? this.#options.globalStores.get(name);
    if (store === undefined) throw new EngineRuleError(`task ${this.id} has no store ${name}; name it in "stores"`);
    return store;
  }
  answerOf(node: string): unknown {
    return this.#calls?.answerOf(node);
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
    if (error instanceof EngineRuleError) this.#failure = error;
    else this.#failure = this.#resuming ? new HeldRecordError(node, error) : new NodeError(node, error);
    this.#options.onReady?.(); // if no record is under way, somebody must come to see
  }
  resume(held: { readonly timestamp: number; readonly metadata: RecordMetadata | null }, run: () => void): void {
    const outer = { current: this.#current, time: this.#recordTime, resuming: this.#resuming };
    this.#current = held.metadata;
    this.#recordTime = held.timestamp;
    this.#resuming = true;
    try {
      run();
    } finally {
      this.#current = outer.current;
      this.#recordTime = outer.time;
      this.#resuming = outer.resuming;
    }
  }
  dropped(node: string, reason: DropReason): void {
    this.#options.onDropped?.(node, reason, this.metadata);
  }
  produce(
    topic: string,
    partition: number | null,
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestamp: number,
    headers: readonly Header[],
    node = topic,
  ): void {
    const to = partition ?? partitionForKey(key, this.#options.partitionsOf(topic));
    this.#outputs.push(node, topic, to, timestamp, key, value, headers, this.#current);
  }

  refuseToSend(node: string, record: ProducedRecord, error: ProductionError): void {
    this.#outputs.refuse(node, record, error, this.metadata);
  }

  // ---- commit

  /** Records that the next transaction would carry. */
  get uncommitted(): number {
    return this.#outputs.length + this.#stores.dirtyCount;
  }

  /** Those of them that are rows of stores on disk. */
  get overlaid(): number {
    return this.#stores.overlaidCount;
  }

  get dirty(): boolean {
    return this.#outputs.length > 0 || this.#positions.haveMoved || this.#stores.dirty;
  }

  takeCommit(): TaskCommit | null {
    if (this.#inFlight) throw new EngineRuleError(`task ${this.id} has a commit in flight; wait for its answer`);
    this.#stopIfFailed(null);
    if (!this.dirty) return null;
    this.#inFlight = true;
    this.#stores.takeDirty((changelog, row) => this.#outputs.pushState(changelog, this.partition, row));
    return { records: this.#outputs.take(), offsets: this.#positions.take() };
  }

  committed(baseOffsets: BaseOffsets): void {
    this.#stores.committed(baseOffsets);
    this.#outputs.sent();
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
    this.#calls?.close();
    this.#calls = null;
    this.#buffers.clear();
    this.#parking?.clear();
    this.#outputs.drop();
    this.#failed = false;
    this.#failure = null;
    this.#inFlight = false;
    this.#stores.drop();
    return failure;
  }
}

function isReadable(source: SourceNode, key: Uint8Array): boolean {
  try {
    source.keySerde.deserialize(source.topic, key);
    return true;
  } catch {
    return false;
  }
}
