import type { Header } from '../kafka/port.ts';
import type { Cancellable, PunctuationType } from '../plan/node.ts';
import type { RecordMetadata, StreamRecord } from '../runtime/record.ts';
import type { StateStore } from '../state/state-store.ts';

/** What a processor may send on; what it leaves out is taken from the record under way. */
export interface Forwarded<K, V> {
  readonly key: K;
  readonly value: V;
  /** Epoch ms. */
  readonly timestamp?: number;
  readonly headers?: readonly Header[];
}

export interface ProcessorContext<K, V> {
  readonly applicationId: string;
  /** `<sub-topology>_<partition>` */
  readonly taskId: string;
  /** The processor's own name. */
  readonly nodeName: string;
  /** Synchronous: returns when the record has gone through all children. Outside a record's call or a punctuator it is an error. */
  forward(record: Forwarded<K, V>): void;
  getStateStore<S extends StateStore>(name: string): S;
  /** The first stream-time punctuation comes with the first record; the first by wall clock after one interval. */
  schedule(intervalMs: number, type: PunctuationType, callback: (nowMs: number) => void): Cancellable;
  /** Newest record time of the task; -1 before the first record. */
  currentStreamTimeMs(): number;
  currentSystemTimeMs(): number;
  /** Null in a punctuator. */
  recordMetadata(): RecordMetadata | null;
  /** Of the record under way. */
  readonly headers: readonly Header[];
}

/** One instance a task. It may keep nothing between records outside its stores: a crash would lose it. */
export interface Processor<K, V, K2, V2> {
  init?(context: ProcessorContext<K2, V2>): void;
  process(record: StreamRecord<K, V>): void;
  close?(): void;
}

export type ProcessorSupplier<K, V, K2, V2> = () => Processor<K, V, K2, V2>;
