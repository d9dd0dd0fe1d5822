import { streamAggregate } from '../runtime/operators/aggregate.ts';
import type { Graph } from './graph.ts';
import type { KGroupedStream, MaterializedOptions } from './k-grouped-stream.ts';
import type { KTable } from './k-table.ts';
import { needSerde } from './need-serde.ts';
import { type HistoryOptions, tableStore } from './stores.ts';
import { type AggregationInput, aggregatedTable } from './stream-aggregation.ts';
import { aggregateBehaviour } from './table-behaviour.ts';
import { SessionWindowedCogroupedKStream, TimeWindowedCogroupedKStream } from './windowed-cogrouped-k-stream.ts';
import { SessionWindows, type SlidingWindows, type TimeWindows } from './windows.ts';

/** Several grouped streams, each with an aggregator of its own, that are folded into one aggregate for each key. */
export class CogroupedKStream<K, A> {
  readonly #graph: Graph;
  readonly #inputs: readonly AggregationInput<K>[];

  constructor(graph: Graph, inputs: readonly AggregationInput<K>[]) {
    this.#graph = graph;
    this.#inputs = inputs;
  }

  /** One stream more; its topics must have as many partitions as those of the others. */
  cogroup<V>(
    grouped: KGroupedStream<K, V>,
    aggregator: (key: K, value: V, aggregate: A) => A | null,
  ): CogroupedKStream<K, A> {
    return new CogroupedKStream<K, A>(this.#graph, [...this.#inputs, { grouped, add: aggregator }]);
  }

  /** Records with a null key or value are dropped, and counted as such. A null result deletes the row. */
  aggregate(initializer: () => A, options: MaterializedOptions<A> & HistoryOptions): KTable<K, A> {
    const { store, as, persistent, versionedMs } = options;
    const known = this.#inputs.find(({ grouped }) => grouped.serdes.key !== null);
    const key = needSerde(known?.grouped.serdes.key, 'keySerde', store);
    const value = needSerde(options.valueSerde, 'valueSerde', store);
    return aggregatedTable(this.#graph, {
      inputs: this.#inputs,
      kind: 'cogroup',
      as,
      store: tableStore({ name: store, keySerde: key, valueSerde: value, persistent, versionedMs }),
      serdes: { key, value },
      windowGraceMs: null,
      operator: (task, name, { state, add }) => streamAggregate(task, name, state, { initial: initializer, add }),
      behaviour: (state) => ({ ...aggregateBehaviour(state), versionedMs }),
    });
  }

  /** An aggregate for each key and window. */
  windowedBy(windows: TimeWindows | SlidingWindows): TimeWindowedCogroupedKStream<K, A>;
  windowedBy(windows: SessionWindows): SessionWindowedCogroupedKStream<K, A>;
  windowedBy(
    windows: TimeWindows | SlidingWindows | SessionWindows,
  ): TimeWindowedCogroupedKStream<K, A> | SessionWindowedCogroupedKStream<K, A> {
    return windows instanceof SessionWindows
      ? new SessionWindowedCogroupedKStream(this.#graph, this.#inputs, windows)
      : new TimeWindowedCogroupedKStream(this.#graph, this.#inputs, windows);
  }
}
