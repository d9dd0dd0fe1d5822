import { EngineRuleError } from '../errors.ts';
import type {
  BaseOffsets,
  CommittedOffset,
  ConsumedRecord,
  FetchedBatch,
  FetchedRecords,
  TopicPartition,
} from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { taskIdOf } from '../plan/application-plan.ts';
import type { SourceNode } from '../plan/node.ts';
import { internalTopicOf, parkedStoreOf, type SubTopology, topicOf } from '../plan/topology.ts';
import type { ParkedRecords } from '../state/parked-records.ts';
import type { StateStore } from '../state/state-store.ts';
import type { ApplicationTracing } from '../tracing/application-tracing.ts';
import { AsyncCalls } from './async-calls.ts';
import { type InputPosition, InputPositions } from './input-positions.ts';
import { LastRead } from './last-read.ts';
import { type Late, Lateness } from './lateness.ts';
import { NodeContext } from './node-context.ts';
import { NodeGraph } from './node-graph.ts';
import { Parking } from './parking.ts';
import { PartitionGroup } from './partition-group.ts';
import { prepareRecords, readRecord, Unreadable } from './read-record.ts';
import type { AnyRecord } from './record.ts';
import { RecordFailures } from './record-failures.ts';
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
export class StreamTask implements Task {
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
  #graph: NodeGraph | null = null;
  #calls: AsyncCalls | null = null;
  readonly #outputs: TaskOutputs;
  readonly #context: NodeContext;
  readonly #failures: RecordFailures;
  readonly #lateness = new Lateness();
  readonly #tracing: Pick<ApplicationTracing, 'record'> | null;
  #inFlight = false;

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
      recordTime: () => this.#context.recordTime,
      lastRead: this.#lastRead,
      ...(options.changes && { changes: options.changes }),
    });
    this.#context = new NodeContext(options, this.id, this.#stores, this.#outputs);
    this.#failures = new RecordFailures(options, this.#context, this.#stores, this.#outputs, this.#parking);
  }

  get subTopology(): number {
    return this.#options.sub.id;
  }
  store(name: string): StateStore | undefined {
    return this.#stores.get(name);
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
    const streamTime = this.#positions.start(this.inputs, committed);
    this.#stores.reopen();
    const { sub, partitionsOf } = this.#options;
    this.#calls = sub.nodes.some((node) => node.kind === 'processor' && node.asyncStep !== undefined)
      ? this.#asyncCalls()
      : null;
    const context = this.#context;
    context.start(streamTime, this.#calls);
    const graph = new NodeGraph(sub, context, (node) => sinkOf(node, context, this.#lastRead, partitionsOf));
    this.#graph = graph;
    this.#inlets.clear();
    for (const [topic, source] of this.#sources) {
      const position = this.#positions.get(topic);
      if (position !== undefined) this.#inlets.set(topic, { source, position, push: graph.entry(source.name) });
    }
    this.#context.stopIfFailed();
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
    if (batch.topic === this.#parking?.topic) return this.#parking.prepare(batch, this.#sources);
    const source = this.#sources.get(batch.topic);
    return source === undefined ? undefined : prepareRecords(batch, source);
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
    return this.#context.failed || this.#mayRedrive() || this.#next() !== null;
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
    this.#context.stopIfFailed();
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
    this.#context.current = raw;
    if (this.#parking?.holds(raw.key)) this.#park(raw, source);
    else this.#take(raw, inlet);
    position.offset = raw.offset + 1;
    position.moved = true;
    this.#context.current = null;
  }

  #take(raw: ConsumedRecord, inlet: TaskInlet): void {
    const { source, position } = inlet;
    const context = this.#context;
    const ahead = source.timestampExtractor === null ? undefined : this.#readAhead.get(raw);
    const record = ahead ?? readRecord(raw, source, position.time);
    if (record instanceof Unreadable) this.#failures.refuse(raw, source, record);
    else if (record.timestamp < 0) context.dropped(source.name, 'negative-timestamp');
    else {
      if (record.timestamp > position.time) position.time = record.timestamp;
      if (record.timestamp > context.streamTime) context.streamTime = record.timestamp;
      else if (record.timestamp < context.streamTime) this.#lateness.note(context.streamTime - record.timestamp);
      context.recordTime = record.timestamp;
      this.#lastRead.note(source, raw, record.key, record.value);
      this.#stores.mark();
      const outputs = this.#outputs.length;
      const span = this.#tracing === null ? null : this.#tracing.record(raw, this.id);
      inlet.push(span === null ? record : { ...record, headers: span.headers });
      span?.end(context.failure ?? undefined);
      if (context.failed) this.#failures.failedWith(raw, source, outputs);
      context.punctuate('stream-time', context.streamTime);
    }
  }

  /** Waits behind the dead letter of its key, and moves no time until it is processed. */
  #park(raw: ConsumedRecord, source: SourceNode): void {
    if (raw.key === null) return;
    this.#parking?.park(raw.key, raw);
    this.#stores.leaveOut(source.name, raw.offset, raw.timestamp, false);
    this.#context.dropped(source.name, 'parked');
  }

  /** @returns false: it is a dead letter again */
  #takeParked(raw: ConsumedRecord): boolean {
    const inlet = this.#inlets.get(raw.topic);
    if (inlet === undefined) {
      const error = new Error(`${raw.topic} is no input of task ${this.id} any more`);
      this.#options.onDropped?.(raw.topic, 'parked', raw, error);
      return false;
    }
    this.#context.current = raw;
    this.#stores.takeIn(inlet.source.name, raw.offset, raw.timestamp);
    const take = (): void => this.#take(raw, inlet);
    const taken = this.#failures.redrive(() => {
      if (this.#calls === null) take();
      else this.#calls.takeApart(take);
    });
    inlet.position.moved = true; // its time may have
    this.#context.current = null;
    return taken;
  }

  #redriven({ topic, partition, offset }: ConsumedRecord, taken: number, left: number): void {
    const position = this.#positions.get(topic);
    if (position === undefined) return;
    position.offset = offset + 1;
    position.moved = true;
    this.#options.onRedriven?.({ topic, partition, offset }, taken, left);
  }

  /** Of records behind stream time, since the last take. */
  takeLateness(): Late {
    return this.#lateness.take();
  }

  // ---- time

  get streamTime(): number {
    return this.#context.streamTime;
  }

  punctuate(nowMs: number): number {
    this.#context.stopIfFailed();
    this.#calls?.expire(nowMs);
    return this.#context.punctuate('wall-clock-time', nowMs);
  }

  get nextPunctuationMs(): number {
    return Math.min(
      this.#context.nextWallClockPunctuation,
      this.#calls?.nextDeadlineMs ?? Number.POSITIVE_INFINITY,
      this.#buffers.idleEndsMs,
    );
  }

  /** Records taken while another input was empty, at its end and idle for `maxTaskIdleMs`. */
  get enforced(): number {
    return this.#buffers.enforced;
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
    this.#context.stopIfFailed();
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
    this.#context.takeFailure();
    this.#graph?.close();
    const failure = this.#context.takeFailure();
    this.#graph = null;
    this.#calls?.close();
    this.#calls = null;
    this.#buffers.clear();
    this.#parking?.clear();
    this.#outputs.drop();
    this.#inFlight = false;
    this.#stores.drop();
    return failure;
  }
}
