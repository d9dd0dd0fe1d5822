import type { OperatorFunction } from 'rxjs';
import type { ProductionError } from '../errors.ts';
import type { Header, ProducedRecord } from '../kafka/port.ts';
import type { AnyRecord, RecordMetadata } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import type { StoreHost } from '../state/key-value-store.ts';
import type { SelfKept, SelfKeptHost, StateStore, StoreSpec } from '../state/state-store.ts';
import type { StoreQueries } from '../state/store-queries.ts';

/** Why a record was not processed further; each is counted, none vanishes silently. */
export type DropReason =
  | 'null-key'
  | 'null-value'
  | 'late'
  | 'out-of-order'
  | 'malformed'
  | 'failed'
  | 'production'
  | 'parked'
  | 'negative-timestamp'
  | 'stale';

export interface Cancellable {
  cancel(): void;
}

export type PunctuationType = 'stream-time' | 'wall-clock-time';

/** What the code of a node sees of the task that runs it. */
export interface TaskContext {
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition: number;
  /** Newest record time so far; -1 before the first record. */
  readonly streamTime: number;
  wallClock(): number;
  /** Of the record under way; null in a punctuator. */
  readonly metadata: RecordMetadata | null;
  store(name: string): StateStore;
  /** What the call of a `mapAsync` node gave for the record under way. @throws what it was rejected with */
  answerOf(node: string): unknown;
  schedule(intervalMs: number, type: PunctuationType, callback: (nowMs: number) => void): Cancellable;
  /** True once a node has failed with the record under way: nothing more of it counts. */
  readonly failed: boolean;
  /** How many records have failed and were taken back: what an operator remembers beside its stores may be wrong after each. */
  readonly failures: number;
  fail(node: string, error: unknown): void;
  dropped(node: string, reason: DropReason): void;
  /**
   * Sends on what an operator has held back: while `run` runs, the metadata and time of that record are those under way. What a node fails
   * with then has no dead letter, since the record under way is another one: it stops the task, as in a punctuator.
   */
  resume(held: { readonly timestamp: number; readonly metadata: RecordMetadata | null }, run: () => void): void;
  /**
   * Partition null: chosen by the key's bytes, as Kafka's default partitioner does.
   * @param node that is told to `onProductionError`; default: the topic
   * @throws ProductionError – the record cannot be sent, and the application fails with it
   */
  produce(
    topic: string,
    partition: number | null,
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestamp: number,
    headers: readonly Header[],
    node?: string,
  ): void;
  /** A record that cannot be sent: `onProductionError` decides. @throws `error`, where it says `fail` */
  refuseToSend(node: string, record: ProducedRecord, error: ProductionError): void;
}

/** Makes one store of one task: over rows that the engine keeps for it, … */
export interface StoreBuilder {
  readonly spec: StoreSpec;
  open(host: StoreHost): StateStore;
  /** Absent: queries cannot read it. */
  readonly queries?: StoreQueries;
}

/** … or one that keeps them itself, in memory. */
export interface SelfKeptStoreBuilder {
  readonly spec: StoreSpec;
  openSelfKept(host: SelfKeptHost): SelfKept;
}

export type TaskStoreBuilder = StoreBuilder | SelfKeptStoreBuilder;

export type TimestampExtractor = (
  record: { readonly key: unknown; readonly value: unknown; readonly timestamp: number },
  partitionTime: number,
) => number;

interface NodeBase {
  readonly name: string;
  readonly parents: readonly TopologyNode[];
}

export interface SourceNode extends NodeBase {
  readonly kind: 'source';
  readonly topic: string;
  /** Of a topic of this application's own: `topic` gets the application id as its prefix. */
  readonly internal: { readonly partitions: number | null } | null;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly timestampExtractor: TimestampExtractor | null;
  readonly offsetReset: 'earliest' | 'latest';
  /** `keep`: as Kafka Streams, operators that need a key drop such records. `dead-letter`: refused at the door. */
  readonly nullKeys: 'keep' | 'dead-letter';
  /** Likewise; never `dead-letter` of a table, where a null value deletes. */
  readonly nullValues: 'keep' | 'dead-letter';
}

/** What a `mapAsync` node asks for each record; the task does it while the record waits in its buffer. */
export interface AsyncStep {
  // biome-ignore lint/suspicious/noExplicitAny: the DSL has checked the types of the author's function
  readonly call: (value: any, key: any, context: CallContext) => Promise<unknown>;
  readonly maxInFlight: number;
  readonly timeoutMs: number;
}

/** Of one call of `mapAsync`. Topic, partition and offset name the record also when it is asked for again after a crash. */
export interface CallContext extends RecordMetadata {
  readonly headers: readonly Header[];
  /** Aborted when nobody waits for the answer any more: it came too late, or the task was closed. */
  readonly signal: AbortSignal;
}

export interface ProcessorNode extends NodeBase {
  readonly kind: 'processor';
  readonly stores: readonly string[];
  /** Of a windowed aggregation: how long after a window's end it takes records (for sessions the gap is part of it). Else null. */
  readonly windowGraceMs: number | null;
  /** Of `mapAsync` alone, whose parent is a source. */
  readonly asyncStep?: AsyncStep;
  /** One call a task. */
  readonly operator: (task: TaskContext) => OperatorFunction<AnyRecord, AnyRecord>;
}

export type TopicNameExtractor = (key: unknown, value: unknown, record: AnyRecord) => string;

export interface SinkNode extends NodeBase {
  readonly kind: 'sink';
  readonly topic: string | TopicNameExtractor;
  readonly internal: boolean;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  /** Null, or null from it: chosen by the key's bytes. */
  readonly partitioner: ((key: unknown, value: unknown, partitions: number) => number | null) | null;
}

export type TopologyNode = SourceNode | ProcessorNode | SinkNode;

/** A table that every instance reads whole. */
export interface GlobalTable {
  readonly sourceName: string;
  readonly processorName: string;
  readonly topic: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  readonly store: StoreBuilder;
}

/** Topics that a join reads side by side. */
export interface CoPartitioned {
  readonly node: string;
  readonly sources: readonly SourceNode[];
}
