import type { SessionFold } from '../runtime/operators/session-window-aggregate.ts';
import { type Serde, Serdes } from '../serde.ts';
import type { Graph } from './graph.ts';
import { counting, type KGroupedStream, reducing } from './k-grouped-stream.ts';
import type { KTable } from './k-table.ts';
import type { WindowMaterializedOptions } from './window-stores.ts';
import type { Windowed } from './windowed.ts';
import { sessionWindowedTable } from './windowed-aggregation.ts';
import type { EmitStrategy, SessionWindows } from './windows.ts';

/**
 * Records by key and session. A record that joins sessions replaces them: a tombstone for each, then the new session, whose time is its
 * end. Records with a null key or value and those whose session has closed are dropped, and counted as such.
 */
export class SessionWindowedKStream<K, V> {
  readonly #graph: Graph;
  readonly #grouped: KGroupedStream<K, V>;
  readonly #windows: SessionWindows;
  readonly #emitStrategy: EmitStrategy;

  constructor(
    graph: Graph,
    grouped: KGroupedStream<K, V>,
    windows: SessionWindows,
    emitStrategy: EmitStrategy = 'onWindowUpdate',
  ) {
    this.#graph = graph;
    this.#grouped = grouped;
    this.#windows = windows;
    this.#emitStrategy = emitStrategy;
  }

  /** `onWindowClose` tells no tombstones: only sessions that no record can join any more. */
  emitStrategy(strategy: EmitStrategy): SessionWindowedKStream<K, V> {
    return new SessionWindowedKStream(this.#graph, this.#grouped, this.#windows, strategy);
  }

  /**
   * A null result deletes the session.
   * @param merger makes one aggregate of two; called for each session that a record joins, the one that ends first coming first, and before
   * `aggregator`; `one` is the initial value at first
   */
  aggregate<A>(
    initializer: () => A,
    aggregator: (key: K, value: V, aggregate: A) => A | null,
    merger: (key: K, one: A, other: A) => A,
    options: WindowMaterializedOptions<A>,
  ): KTable<Windowed<K>, A> {
    const fold = { initial: initializer, add: aggregator, merge: merger };
    return this.#fold('aggregate', fold, options, options.valueSerde);
  }

  /** The first value of a session is its first aggregate; sessions merge with the same reducer. */
  reduce(reducer: (aggregate: V, value: V) => V | null, options: WindowMaterializedOptions<V>): KTable<Windowed<K>, V> {
    const { initial, add } = reducing(reducer);
    const fold = { initial, add, merge: (key: K, one: V, other: V) => add(key, other, one) };
    return this.#fold('reduce', fold, options, options.valueSerde ?? this.#grouped.serdes.value);
  }

  count(options: Omit<WindowMaterializedOptions<bigint>, 'valueSerde'>): KTable<Windowed<K>, bigint> {
    const fold = { ...counting, merge: (_key: K, one: bigint, other: bigint) => one + other };
    return this.#fold('aggregate', fold, options, Serdes.long);
  }

  #fold<A>(
    kind: 'aggregate' | 'reduce',
    { initial, add, merge }: SessionFold,
    options: WindowMaterializedOptions<A>,
    valueSerde: Serde<A> | null | undefined,
  ): KTable<Windowed<K>, A> {
    const inputs = [{ grouped: this.#grouped, add }];
    const aggregation = { inputs, kind, initial, merge, emitStrategy: this.#emitStrategy, valueSerde, options };
    return sessionWindowedTable(this.#graph, this.#windows, aggregation);
  }
}
