import { MissingSerdeError } from '../errors.ts';
import type { TopologyNode } from '../plan/node.ts';
import { streamAggregate } from '../runtime/operators/table.ts';
import { type Serde, Serdes } from '../serde.ts';
import type { Graph, Serdes2 } from './graph.ts';
import type { Named } from './k-stream.ts';
import { KTable } from './k-table.ts';
import { Stores } from './stores.ts';

export interface MaterializedOptions<V> extends Named {
  /** Names the store and its changelog. */
  readonly store: string;
  readonly valueSerde?: Serde<V>;
  readonly persistent?: boolean;
}

/** Records that are together by key. */
export class KGroupedStream<K, V> {
  readonly #graph: Graph;
  readonly #node: TopologyNode;
  readonly #serdes: Serdes2<K, V>;

  constructor(graph: Graph, node: TopologyNode, serdes: Serdes2<K, V>) {
    this.#graph = graph;
    this.#node = node;
    this.#serdes = serdes;
  }

  /** Folds each key's values; records with a null key or value are dropped, and counted as such. A null result deletes the row. */
  aggregate<A>(
    initializer: () => A,
    aggregator: (key: K, value: V, aggregate: A) => A | null,
    options: MaterializedOptions<A>,
  ): KTable<K, A> {
    return this.#fold('KSTREAM-AGGREGATE-', initializer, aggregator, options, options.valueSerde ?? null);
  }

  /** The first value of a key is its first aggregate. */
  reduce(reducer: (aggregate: V, value: V) => V, options: MaterializedOptions<V>): KTable<K, V> {
    return this.#fold<V | null>(
      'KSTREAM-REDUCE-',
      () => null,
      (_key, value, aggregate) => (aggregate === null ? value : reducer(aggregate, value)),
      options as MaterializedOptions<V | null>, // null never reaches the serde
      (options.valueSerde ?? this.#serdes.value) as Serde<V | null> | null,
    ) as KTable<K, V>;
  }

  count(options: Omit<MaterializedOptions<bigint>, 'valueSerde'>): KTable<K, bigint> {
    return this.#fold(
      'KSTREAM-AGGREGATE-',
      () => 0n,
      (_key, _value, count: bigint) => count + 1n,
      options,
      Serdes.long,
    );
  }

  #fold<A>(
    prefix: string,
    initializer: () => A,
    aggregator: (key: K, value: V, aggregate: A) => A | null,
    options: MaterializedOptions<A>,
    valueSerde: Serde<A> | null,
  ): KTable<K, A> {
    const { store } = options;
    const keySerde = this.#serdes.key;
    if (keySerde === null || valueSerde === null) {
      const what = keySerde === null ? 'keySerde' : 'valueSerde';
      throw new MissingSerdeError(
        `${store} needs a ${what}, and none is known there; nothing was built. Give one in its options.`,
      );
    }
    this.#graph.addStore(
      Stores.timestampedKeyValue({ name: store, keySerde, valueSerde, persistent: options.persistent ?? true }),
    );
    const name = this.#graph.name(prefix, options.as);
    const node = this.#graph.processor(
      name,
      [this.#node],
      (task) =>
        streamAggregate(
          task,
          name,
          store,
          initializer,
          aggregator as (key: unknown, value: unknown, aggregate: unknown) => unknown,
        ),
      [store],
    ); // types are erased below
    return KTable.materialized<K, A>(this.#graph, node, { key: keySerde, value: valueSerde }, store);
  }
}
