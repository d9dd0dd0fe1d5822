import type { Serde } from '../serde.ts';
import type { HistoryOptions } from './stores.ts';
import type { StreamJoinStoreOptions } from './stream-join-stores.ts';

export interface Named {
  /** Names the node and the internal topics it needs; it never makes state. */
  readonly as?: string;
}

export interface ProcessOptions extends Named {
  readonly stores?: readonly string[];
}

export interface RepartitionOptions<K, V> extends Named {
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V>;
  /** Default: as many as the widest topic upstream. */
  readonly partitions?: number;
}

export interface MapAsyncOptions<K, V> extends RepartitionOptions<K, V> {
  readonly as: string;
  /** Calls under way, and answers that wait for an earlier one, per partition. Beyond it records wait in the task's buffer, then at the broker. */
  readonly maxInFlight: number;
  /** By wall clock, per call; then it counts as rejected. Default 30 s; Infinity waits for ever. */
  readonly timeoutMs?: number;
}

export interface ToTableOptions<K, V> extends RepartitionOptions<K, V>, HistoryOptions {
  /** Names the store, its changelog and, where the key has changed and nothing else is given, the repartition topic. */
  readonly store?: string;
  readonly persistent?: boolean;
}

export interface ProducedOptions<K, V> extends Named {
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V>;
  readonly partitioner?: (key: K, value: V, partitions: number) => number;
}

export interface StreamTableJoinOptions<K, V> extends RepartitionOptions<K, V> {
  /**
   * Only with a versioned table: a record waits until its stream has come so many ms further, for rows that come late. At most as long as
   * the table's history. `as` then names the store of what waits too (`<as>-buffer`), and is needed.
   */
  readonly graceMs?: number;
}

export interface StreamJoinOptions<K, V1, V2> extends Named, StreamJoinStoreOptions {
  /** Names the join, its stores and, where a key has changed, its repartition topics. Needed. */
  readonly as?: string;
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V1>;
  readonly otherValueSerde?: Serde<V2>;
}

export type ValueJoiner<K, V1, V2, R> = (left: V1, right: V2, key: K) => R;
