import { MissingSerdeError } from '../errors.ts';
import type { TopologyNode } from '../plan/node.ts';
import { type AggregateState, type TableFold, tableAggregate } from '../runtime/operators/aggregate.ts';
import { changeSerde } from '../runtime/operators/change-serde.ts';
import { type Serde, Serdes } from '../serde.ts';
import type { Graph, Serdes2 } from './graph.ts';
import type { MaterializedOptions } from './k-grouped-stream.ts';
import { KTable } from './k-table.ts';
import { throughTopic } from './repartition.ts';
import { type HistoryOptions, tableStore } from './stores.ts';
import { aggregateBehaviour } from './table-behaviour.ts';

/** Rows of a table on their way to the groups that they belong to. */
export class KGroupedTable<K, V> {
  readonly #graph: Graph;
  readonly #node: TopologyNode;
  readonly #serdes: Serdes2<K, V>;
  readonly #as: string | undefined;

  constructor(graph: Graph, node: TopologyNode, serdes: Serdes2<K, V>, as: string | undefined) {
    this.#graph = graph;
    this.#node = node;
    this.#serdes = serdes;
    this.#as = as;
  }

  /** Between `subtract` and `add` of a row that moves from one group to another, the two groups disagree. A null result deletes the group. */
  aggregate<A>(
    initializer: () => A,
    adder: (key: K, value: V, aggregate: A) => A | null,
    subtractor: (key: K, value: V, aggregate: A) => A | null,
    options: MaterializedOptions<A> & HistoryOptions,
  ): KTable<K, A> {
    const fold = { initial: initializer, add: adder, subtract: subtractor };
    return this.#fold('KTABLE-AGGREGATE-', fold, options, options.valueSerde ?? null);
  }

  /** The first value of a group is its first aggregate; the adder is not called for it. */
  reduce(
    adder: (aggregate: V, value: V) => V | null,
    subtractor: (aggregate: V, value: V) => V | null,
    options: MaterializedOptions<V> & HistoryOptions,
  ): KTable<K, V> {
    const fold: TableFold = {
      initial: () => null,
      add: (_key, value, aggregate) => (aggregate === null ? value : adder(aggregate, value)),
      subtract: (_key, value, aggregate) => subtractor(aggregate, value),
    };
    return this.#fold('KTABLE-REDUCE-', fold, options, options.valueSerde ?? this.#serdes.value);
  }

  /** A group that has lost all its rows stays, with 0. */
  count(options: Omit<MaterializedOptions<bigint>, 'valueSerde'> & HistoryOptions): KTable<K, bigint> {
    const fold: TableFold = {
      initial: () => 0n,
      add: (_key, _value, count: bigint) => count + 1n,
      subtract: (_key, _value, count: bigint) => count - 1n,
    };
    return this.#fold('KTABLE-AGGREGATE-', fold, options, Serdes.long);
  }

  #fold<A>(
    prefix: string,
    fold: TableFold,
    options: MaterializedOptions<A> & HistoryOptions,
    aggregateSerde: Serde<A> | null,
  ): KTable<K, A> {
    const { store, persistent, versionedMs } = options;
    const { key, value } = this.#serdes;
    if (key === null || value === null || aggregateSerde === null) {
      const what = key === null ? 'keySerde in groupBy' : value === null ? 'valueSerde in groupBy' : 'valueSerde';
      throw new MissingSerdeError(
        `${store} needs a ${what}, and none is known there; nothing was built. Give one in the options.`,
      );
    }
    const source = throughTopic(this.#graph, this.#node, {
      name: this.#as ?? store,
      keySerde: key,
      valueSerde: changeSerde(value),
      partitions: null,
      nullKeys: 'unfiltered',
    });
    this.#graph.addStore(
      tableStore({ name: store, keySerde: key, valueSerde: aggregateSerde, persistent, versionedMs }),
    );
    const name = this.#graph.name(prefix, options.as);
    const state: AggregateState = { store, sendsOldValues: false };
    const node = this.#graph.processor(name, [source], (task) => tableAggregate(task, name, state, fold), [store]);
    return new KTable<K, A>(
      this.#graph,
      node,
      { key, value: aggregateSerde },
      {
        ...aggregateBehaviour(state),
        versionedMs,
      },
    );
  }
}
