import { EngineRuleError, HeldRecordError, NodeError, type ProductionError, TaskFailedError } from '../errors.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import type { Header, ProducedRecord } from '../kafka/port.ts';
import type { Cancellable, DropReason, PunctuationType, TaskContext } from '../plan/node.ts';
import type { StateStore } from '../state/state-store.ts';
import type { AsyncCalls } from './async-calls.ts';
import { Punctuators } from './punctuators.ts';
import type { RecordMetadata } from './record.ts';
import type { TaskOptions } from './task-options.ts';
import type { TaskOutputs } from './task-outputs.ts';
import type { TaskStores } from './task-stores.ts';

/** See `TaskContext`: what the nodes of a task see of it, and how they are doing with the record or punctuation under way. */
export class NodeContext implements TaskContext {
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition: number;
  readonly #options: TaskOptions;
  readonly #stores: TaskStores;
  readonly #outputs: TaskOutputs;
  #calls: AsyncCalls | null = null;
  #punctuators = new Punctuators();
  streamTime = -1;
  /** Where the record under way is from, and at times the record itself; null outside one, also in a punctuator. */
  current: RecordMetadata | null = null;
  /** Epoch ms of the record or punctuation under way. */
  recordTime = 0;
  failed = false;
  /** What a node failed with, if `failed`. */
  failure: unknown = null;
  failures = 0;
  #resuming = false;

  constructor(options: TaskOptions, taskId: string, stores: TaskStores, outputs: TaskOutputs) {
    this.#options = options;
    this.#stores = stores;
    this.#outputs = outputs;
    this.applicationId = options.applicationId;
    this.partition = options.partition;
    this.taskId = taskId;
  }

  /** Before the nodes are made: they may schedule punctuations. */
  start(streamTime: number, calls: AsyncCalls | null): void {
    this.streamTime = streamTime;
    this.#calls = calls;
    this.#punctuators = new Punctuators();
  }

  get metadata(): RecordMetadata | null {
    if (this.current === null) return null;
    const { topic, partition, offset } = this.current;
    return { topic, partition, offset };
  }

  wallClock(): number {
    return this.#options.now();
  }

  store(name: string): StateStore {
    const store = this.#stores.get(name) ?? this.#options.globalStores.get(name);
    if (store === undefined) throw new EngineRuleError(`task ${this.taskId} has no store ${name}; name it in "stores"`);
    return store;
  }

  answerOf(node: string): unknown {
    return this.#calls?.answerOf(node);
  }

  // ---- records out

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
    this.#outputs.push(node, topic, to, timestamp, key, value, headers, this.current);
  }

  refuseToSend(node: string, record: ProducedRecord, error: ProductionError): void {
    this.#outputs.refuse(node, record, error, this.metadata);
  }

  dropped(node: string, reason: DropReason): void {
    this.#options.onDropped?.(node, reason, this.metadata);
  }

  resume(held: { readonly timestamp: number; readonly metadata: RecordMetadata | null }, run: () => void): void {
    const outer = { current: this.current, time: this.recordTime, resuming: this.#resuming };
    this.current = held.metadata;
    this.recordTime = held.timestamp;
    this.#resuming = true;
    try {
      run();
    } finally {
      this.current = outer.current;
      this.recordTime = outer.time;
      this.#resuming = outer.resuming;
    }
  }

  // ---- time

  schedule(intervalMs: number, type: PunctuationType, callback: (nowMs: number) => void): Cancellable {
    const start = type === 'wall-clock-time' ? this.wallClock() + intervalMs : 0;
    return this.#punctuators.add(type, intervalMs, callback, start);
  }

  /** Runs what is due. @returns how many ran. @throws TaskFailedError – a node failed with one */
  punctuate(type: PunctuationType, nowMs: number): number {
    if (this.#punctuators.isEmpty) return 0;
    const { current } = this;
    this.current = null;
    const ran = this.#punctuators.runDue(type, nowMs, (callback) => {
      this.#stores.mark();
      this.recordTime = nowMs;
      callback(nowMs);
      this.stopIfFailed();
    });
    this.current = current;
    return ran;
  }

  /** Epoch ms. */
  get nextWallClockPunctuation(): number {
    return this.#punctuators.nextWallClock;
  }

  // ---- failures

  fail(node: string, error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    if (error instanceof EngineRuleError) this.failure = error;
    else this.failure = this.#resuming ? new HeldRecordError(node, error) : new NodeError(node, error);
    this.#options.onReady?.(); // if no record is under way, somebody must come to see
  }

  /** Whoever takes it deals with it; null: there is none. */
  takeFailure(): unknown {
    const { failure } = this;
    this.failed = false;
    this.failure = null;
    return failure;
  }

  /** Outside a record nobody can deal with a failure. @throws TaskFailedError */
  stopIfFailed(): void {
    if (this.failed) throw new TaskFailedError(this.taskId, null, this.takeFailure());
  }
}
