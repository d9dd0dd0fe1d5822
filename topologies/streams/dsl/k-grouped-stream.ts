import type { TopologyNode } from '../plan/node.ts';
import { type Fold, streamAggregate } from '../runtime/operators/aggregate.ts';
import { type Serde, Serdes } from '../serde.ts';
import { CogroupedKStream } from './cogrouped-k-stream.ts';
import type { Graph, Serdes2 } from './graph.ts';
import type { KTable } from './k-table.ts';
import { needSerde } from './need-serde.ts';
import { throughTopic } from './repartition.ts';
import { SessionWindowedKStream } from './session-windowed-k-stream.ts';
import { type HistoryOptions, tableStore } from './stores.ts';
import { aggregatedTable } from './stream-aggregation.ts';
import type { Named } from './stream-options.ts';
import { aggregateBehaviour } from './table-behaviour.ts';
import { TimeWindowedKStream } from './time-windowed-k-stream.ts';
import { SessionWindows, type SlidingWindows, type TimeWindows } from './windows.ts';

export interface MaterializedOptions<V> extends Named {
  /** Names the store, its changelog and, where the key has changed and the grouping has no name, the repartition topic. */
  readonly store: string;
  readonly valueSerde?: Serde<V>;
  readonly persistent?: boolean;
}

/** How a grouping gets equal keys together. */
export interface Grouping {
  readonly keyChanged: boolean;
  readonly as: string | undefined;
  readonly partitions: number | null;
}

export const counting: Fold = { initial: () => 0n, add: (_key, _value, count: bigint) => count + 1n };

/** The first value is the first aggregate. */
export const reducing = <V>(reducer: (aggregate: V, value: V) => V | null): Fold => ({
  initial: () => null,
  add: (_key, value: V, aggregate: V | null) => (aggregate === null ? value : reducer(aggregate, value)),
});

/** Records that are together by key. */
export class KGroupedStream<K, V> {
  readonly #graph: Graph;
  readonly #node: TopologyNode;
  readonly serdes: Serdes2<K, V>;
  readonly #grouping: Grouping;
  /** One topic for all aggregations of a grouping; without a name of its own it has that of the first one's store. */
  #repartitioned: TopologyNode | null = null;

  constructor(graph: Graph, node: TopologyNode, serdes: Serdes2<K, V>, grouping: Grouping) {
    this.#graph = graph;
    this.#node = node;
    this.serdes = serdes;
    this.#grouping = grouping;
  }

  /** Folds each key's values; records with a null key or value are dropped, and counted as such. A null result deletes the row. */
  aggregate<A>(
    initializer: () => A,
    aggregator: (key: K, value: V, aggregate: A) => A | null,
    options: MaterializedOptions<A> & HistoryOptions,
  ): KTable<K, A> {
    return this.#fold('aggregate', { initial: initializer, add: aggregator }, options, options.valueSerde);
  }

  /** The first value of a key is its first aggregate. */
  reduce(
    reducer: (aggregate: V, value: V) => V | null,
    options: MaterializedOptions<V> & HistoryOptions,
  ): KTable<K, V> {
    return this.#fold('reduce', reducing(reducer), options, options.valueSerde ?? this.serdes.value);
  }

  count(options: Omit<MaterializedOptions<bigint>, 'valueSerde'> & HistoryOptions): KTable<K, bigint> {
    return this.#fold('aggregate', counting, options, Serdes.long);
  }

  /** An aggregate for each key and window. */
  windowedBy(windows: TimeWindows | SlidingWindows): TimeWindowedKStream<K, V>;
  windowedBy(windows: SessionWindows): SessionWindowedKStream<K, V>;
  windowedBy(
    windows: TimeWindows | SlidingWindows | SessionWindows,
  ): TimeWindowedKStream<K, V> | SessionWindowedKStream<K, V> {
    return windows instanceof SessionWindows
      ? new SessionWindowedKStream(this.#graph, this, windows)
      : new TimeWindowedKStream(this.#graph, this, windows);
  }

  /** The first of several streams that are folded into one aggregate for each key. */
  cogroup<A>(aggregator: (key: K, value: V, aggregate: A) => A | null): CogroupedKStream<K, A> {
    return new CogroupedKStream<K, A>(this.#graph, [{ grouped: this, add: aggregator }]);
  }

  #fold<A>(
    kind: 'aggregate' | 'reduce',
    fold: Fold,
    options: MaterializedOptions<A> & HistoryOptions,
    valueSerde: Serde<A> | null | undefined,
  ): KTable<K, A> {
    const { store, as, persistent, versionedMs } = options;
    const key = needSerde(this.serdes.key, 'keySerde', store);
    const value = needSerde(valueSerde, 'valueSerde', store);
    return aggregatedTable(this.#graph, {
      inputs: [{ grouped: this, add: fold.add }],
      kind,
      as,
      store: tableStore({ name: store, keySerde: key, valueSerde: value, persistent, versionedMs }),
      serdes: { key, value },
      windowGraceMs: null,
      operator: (task, name, { state }) => streamAggregate(task, name, state, fold),
      behaviour: (state) => ({ ...aggregateBehaviour(state), versionedMs }),
    });
  }

  /** Whether what aggregates it must name its repartition topic. */
  get needsName(): boolean {
    return this.#grouping.keyChanged && this.#grouping.as === undefined;
  }

  /** Where records of equal keys are together, behind a repartition topic if the key has changed. @param name of that topic, if the grouping has none */
  together(name: string): TopologyNode {
    const { keyChanged, partitions } = this.#grouping;
    if (!keyChanged) return this.#node;
    if (this.#repartitioned !== null) return this.#repartitioned;
    const as = this.#grouping.as ?? name;
    const node = throughTopic(this.#graph, this.#node, {
      name: as,
      keySerde: needSerde(this.serdes.key, 'keySerde', `${as}-repartition`, 'to the grouping'),
      valueSerde: needSerde(this.serdes.value, 'valueSerde', `${as}-repartition`, 'to the grouping'),
      partitions,
      nullKeys: 'dropped',
    });
    this.#repartitioned = node;
    return node;
  }
}
