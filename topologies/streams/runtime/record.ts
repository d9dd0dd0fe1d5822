import type { Header } from '../kafka/port.ts';

/** What flows between nodes. Never changed after it was forwarded: several children may see the same object. */
export interface StreamRecord<K, V> {
  readonly key: K;
  readonly value: V;
  /** Epoch ms. */
  readonly timestamp: number;
  readonly headers: readonly Header[];
}

/** Inside the graph types are erased: the DSL has checked them, and a node's code knows what its parents send. */
// biome-ignore lint/suspicious/noExplicitAny: the one place where record types are erased; unknown would need a cast in every operator
export type AnyRecord = StreamRecord<any, any>;

/** What flows between the nodes of a table. */
export interface Change<V> {
  readonly newValue: V | null;
  /** Null also when the table upstream does not know its old values. */
  readonly oldValue: V | null;
  /** False for an out-of-order update of a versioned table: the table's current row is another one. */
  readonly isLatest: boolean;
}

/** Where the record under way came from. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export const withValue = <K, V>(record: StreamRecord<K, unknown>, value: V): StreamRecord<K, V> => ({
  key: record.key,
  value,
  timestamp: record.timestamp,
  headers: record.headers,
});

export const withKeyAndValue = <K, V>(record: AnyRecord, key: K, value: V): StreamRecord<K, V> => ({
  key,
  value,
  timestamp: record.timestamp,
  headers: record.headers,
});
