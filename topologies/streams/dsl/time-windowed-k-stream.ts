import type { Fold } from '../runtime/operators/aggregate.ts';
import { type Serde, Serdes } from '../serde.ts';
import type { Graph } from './graph.ts';
import { counting, type KGroupedStream, reducing } from './k-grouped-stream.ts';
import type { KTable } from './k-table.ts';
import type { WindowMaterializedOptions } from './window-stores.ts';
import type { Windowed } from './windowed.ts';
import { timeWindowedTable } from './windowed-aggregation.ts';
import type { EmitStrategy, SlidingWindows, TimeWindows } from './windows.ts';

/**
 * Records by key and by tumbling, hopping or sliding window. A row's time is the newest of its records. Records with a null key or value
 * and those whose windows have all closed are dropped, and counted as such.
 */
export class TimeWindowedKStream<K, V> {
  readonly #graph: Graph;
  readonly #grouped: KGroupedStream<K, V>;
  readonly #windows: TimeWindows | SlidingWindows;
  readonly #emitStrategy: EmitStrategy;

  constructor(
    graph: Graph,
    grouped: KGroupedStream<K, V>,
    windows: TimeWindows | SlidingWindows,
    emitStrategy: EmitStrategy = 'onWindowUpdate',
  ) {
    this.#graph = graph;
    this.#grouped = grouped;
    this.#windows = windows;
    this.#emitStrategy = emitStrategy;
  }

  emitStrategy(strategy: EmitStrategy): TimeWindowedKStream<K, V> {
    return new TimeWindowedKStream(this.#graph, this.#grouped, this.#windows, strategy);
  }

  /** A null result deletes the window. */
  aggregate<A>(
    initializer: () => A,
    aggregator: (key: K, value: V, aggregate: A) => A | null,
    options: WindowMaterializedOptions<A>,
  ): KTable<Windowed<K>, A> {
    return this.#fold('aggregate', { initial: initializer, add: aggregator }, options, options.valueSerde);
  }

  /** The first value of a window is its first aggregate. */
  reduce(reducer: (aggregate: V, value: V) => V | null, options: WindowMaterializedOptions<V>): KTable<Windowed<K>, V> {
    return this.#fold('reduce', reducing(reducer), options, options.valueSerde ?? this.#grouped.serdes.value);
  }

  count(options: Omit<WindowMaterializedOptions<bigint>, 'valueSerde'>): KTable<Windowed<K>, bigint> {
    return this.#fold('aggregate', counting, options, Serdes.long);
  }

  #fold<A>(
    kind: 'aggregate' | 'reduce',
    { initial, add }: Fold,
    options: WindowMaterializedOptions<A>,
    valueSerde: Serde<A> | null | undefined,
  ): KTable<Windowed<K>, A> {
    const inputs = [{ grouped: this.#grouped, add }];
    const emitStrategy = this.#emitStrategy;
    return timeWindowedTable(this.#graph, this.#windows, { inputs, kind, initial, emitStrategy, valueSerde, options });
  }
}
