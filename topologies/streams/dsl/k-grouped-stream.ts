import { MissingSerdeError } from '../errors.ts';
import type { TopologyNode } from '../plan/node.ts';
import { type AggregateState, type Fold, streamAggregate } from '../runtime/operators/aggregate.ts';
import { type Serde, Serdes } from '../serde.ts';
import type { Graph, Serdes2 } from './graph.ts';
import type { Named } from './k-stream.ts';
import { KTable } from './k-table.ts';
import { throughTopic } from './repartition.ts';
import { Stores } from './stores.ts';
import { aggregateBehaviour } from './table-behaviour.ts';

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

/** Records that are together by key. */
export class KGroupedStream<K, V> {
  readonly #graph: Graph;
  readonly #node: TopologyNode;
  readonly #serdes: Serdes2<K, V>;
  readonly #grouping: Grouping;
  /** A named repartition is shared by the aggregations of one grouping. */
  #repartitioned: TopologyNode | null = null;

  constructor(graph: Graph, node: TopologyNode, serdes: Serdes2<K, V>, grouping: Grouping) {
    this.#graph = graph;
    this.#node = node;
    this.#serdes = serdes;
    this.#grouping = grouping;
  }

  /** Folds each key's values; records with a null key or value are dropped, and counted as such. A null result deletes the row. */
  aggregate<A>(
    initializer: () => A,
    aggregator: (key: K, value: V, aggregate: A) => A | null,
    options: MaterializedOptions<A>,
  ): KTable<K, A> {
    return this.#fold(
      'KSTREAM-AGGREGATE-',
      { initial: initializer, add: aggregator },
      options,
      options.valueSerde ?? null,
    );
  }

  /** The first value of a key is its first aggregate. */
  reduce(reducer: (aggregate: V, value: V) => V | null, options: MaterializedOptions<V>): KTable<K, V> {
    const fold: Fold = {
      initial: () => null,
      add: (_key, value, aggregate) => (aggregate === null ? value : reducer(aggregate, value)),
    };
    return this.#fold('KSTREAM-REDUCE-', fold, options, options.valueSerde ?? this.#serdes.value);
  }

  count(options: Omit<MaterializedOptions<bigint>, 'valueSerde'>): KTable<K, bigint> {
    const fold: Fold = { initial: () => 0n, add: (_key, _value, count: bigint) => count + 1n };
    return this.#fold('KSTREAM-AGGREGATE-', fold, options, Serdes.long);
  }

  #fold<A>(prefix: string, fold: Fold, options: MaterializedOptions<A>, valueSerde: Serde<A> | null): KTable<K, A> {
    const { store } = options;
    const keySerde = this.#serdes.key;
    if (keySerde === null || valueSerde === null) {
      const what = keySerde === null ? 'keySerde' : 'valueSerde';
      throw new MissingSerdeError(
        `${store} needs a ${what}, and none is known there; nothing was built. Give one in its options.`,
      );
    }
    const parent = this.#together(store);
    const persistent = options.persistent ?? true;
    this.#graph.addStore(Stores.timestampedKeyValue({ name: store, keySerde, valueSerde, persistent }));
    const name = this.#graph.name(prefix, options.as);
    const state: AggregateState = { store, sendsOldValues: false };
    const node = this.#graph.processor(name, [parent], (task) => streamAggregate(task, name, state, fold), [store]);
    return new KTable<K, A>(this.#graph, node, { key: keySerde, value: valueSerde }, aggregateBehaviour(state));
  }

  #together(store: string): TopologyNode {
    const { keyChanged, as, partitions } = this.#grouping;
    if (!keyChanged) return this.#node;
    if (this.#repartitioned !== null) return this.#repartitioned;
    const { key, value } = this.#serdes;
    const name = as ?? store;
    if (key === null || value === null) {
      const what = key === null ? 'keySerde' : 'valueSerde';
      throw new MissingSerdeError(
        `${name}-repartition needs a ${what}, and none is known there; nothing was built. Give one to the grouping.`,
      );
    }
    const through = { name, keySerde: key, valueSerde: value, partitions, dropNullKeys: true };
    const node = throughTopic(this.#graph, this.#node, through);
    if (as !== undefined) this.#repartitioned = node;
    return node;
  }
}
