import type { TaskContext, TopologyNode } from '../plan/node.ts';
import { operator } from '../runtime/operators/operator.ts';
import { type Getter, type Side, tableFilter, tableMapValues, tableTableJoin } from '../runtime/operators/table.ts';
import { type Change, withValue } from '../runtime/record.ts';
import type { TimestampedKeyValueStore } from '../state/state-store.ts';
import { type Graph, type Serdes2, sourcesOf } from './graph.ts';
import { KStream, type Named } from './k-stream.ts';

/** The same rows on every instance; only for look-ups. */
export class GlobalKTable<K, V> {
  readonly store: string;
  /** Only types: which rows the table has. */
  declare readonly rows: readonly [K, V];

  constructor(store: string) {
    this.store = store;
  }
}

/** The latest value of each key. Between its nodes flow changes (new and old value), not values. */
export class KTable<K, V> {
  readonly #graph: Graph;
  readonly node: TopologyNode;
  readonly serdes: Serdes2<K, V>;
  /** Stores that a look-up of this table needs. */
  readonly stores: readonly string[];
  /** How a task looks up a row. */
  readonly getter: (task: TaskContext) => Getter;

  constructor(
    graph: Graph,
    node: TopologyNode,
    serdes: Serdes2<K, V>,
    stores: readonly string[],
    getter: (task: TaskContext) => Getter,
  ) {
    this.#graph = graph;
    this.node = node;
    this.serdes = serdes;
    this.stores = stores;
    this.getter = getter;
  }

  static materialized<K, V>(graph: Graph, node: TopologyNode, serdes: Serdes2<K, V>, store: string): KTable<K, V> {
    return new KTable<K, V>(graph, node, serdes, [store], (task) => {
      const rows = task.store(store) as TimestampedKeyValueStore<unknown, unknown>; // made by the builder of this table
      return (key) => rows.get(key);
    });
  }

  mapValues<V2>(mapper: (value: V, key: K) => V2, named: Named = {}): KTable<K, V2> {
    const name = this.#graph.name('KTABLE-MAPVALUES-', named.as);
    const map = mapper as (value: unknown, key: unknown) => unknown; // types are erased below
    const node = this.#graph.processor(name, [this.node], (task) => tableMapValues(task, name, map), this.stores);
    return new KTable<K, V2>(this.#graph, node, { key: this.serdes.key, value: null }, this.stores, (task) => {
      const get = this.getter(task);
      return (key) => {
        const row = get(key);
        return row === null ? null : { value: map(row.value, key), timestamp: row.timestamp };
      };
    });
  }

  filter(predicate: (key: K, value: V) => boolean, named: Named = {}): KTable<K, V> {
    const name = this.#graph.name('KTABLE-FILTER-', named.as);
    const test = predicate as (key: unknown, value: unknown) => boolean; // types are erased below
    const node = this.#graph.processor(name, [this.node], (task) => tableFilter(task, name, test), this.stores);
    return new KTable<K, V>(this.#graph, node, this.serdes, this.stores, (task) => {
      const get = this.getter(task);
      return (key) => {
        const row = get(key);
        return row !== null && test(key, row.value) ? row : null;
      };
    });
  }

  filterNot(predicate: (key: K, value: V) => boolean, named: Named = {}): KTable<K, V> {
    return this.filter((key, value) => !predicate(key, value), named);
  }

  /** Every change as a record: its new value, null where the row is gone. */
  toStream(named: Named = {}): KStream<K, V> {
    const name = this.#graph.name('KTABLE-TOSTREAM-', named.as);
    const node = this.#graph.processor(
      name,
      [this.node],
      (task) =>
        operator(task, name, (record, emit) => emit(withValue(record, (record.value as Change<unknown>).newValue))), // tables send changes
    );
    return new KStream<K, V>(this.#graph, node, this.serdes, false);
  }

  join<V2, R>(other: KTable<K, V2>, joiner: (left: V, right: V2) => R, named: Named = {}): KTable<K, R> {
    return this.#join(other, joiner, 'inner', named);
  }

  leftJoin<V2, R>(other: KTable<K, V2>, joiner: (left: V, right: V2 | null) => R, named: Named = {}): KTable<K, R> {
    return this.#join(other, joiner, 'left', named);
  }

  outerJoin<V2, R>(
    other: KTable<K, V2>,
    joiner: (left: V | null, right: V2 | null) => R,
    named: Named = {},
  ): KTable<K, R> {
    return this.#join(other, joiner, 'outer', named);
  }

  #join<V2, R>(other: KTable<K, V2>, joiner: unknown, type: 'inner' | 'left' | 'outer', named: Named): KTable<K, R> {
    const join = joiner as (left: unknown, right: unknown) => unknown; // the public methods have the types
    const stores = [...new Set([...this.stores, ...other.stores])];
    const side = (isLeft: boolean): Side => ({ isLeft, type, join });
    const thisName = this.#graph.name('KTABLE-JOINTHIS-', named.as && `${named.as}-join-this`);
    const otherName = this.#graph.name('KTABLE-JOINOTHER-', named.as && `${named.as}-join-other`);
    const thisNode = this.#graph.processor(
      thisName,
      [this.node],
      (task) => tableTableJoin(task, thisName, other.getter(task), side(true)),
      stores,
    );
    const otherNode = this.#graph.processor(
      otherName,
      [other.node],
      (task) => tableTableJoin(task, otherName, this.getter(task), side(false)),
      stores,
    );
    const name = this.#graph.name('KTABLE-MERGE-', named.as && `${named.as}-merge`);
    const node = this.#graph.processor(name, [thisNode, otherNode], (task) =>
      operator(task, name, (record, emit) => emit(record)),
    );
    this.#graph.coPartition({ node: name, sources: [...sourcesOf(this.node), ...sourcesOf(other.node)] });
    return new KTable<K, R>(this.#graph, node, { key: this.serdes.key, value: null }, stores, (task) => {
      const left = this.getter(task);
      const right = other.getter(task);
      return (key) => {
        const l = left(key);
        const r = right(key);
        const there =
          type === 'inner' ? l !== null && r !== null : type === 'left' ? l !== null : l !== null || r !== null;
        if (!there) return null;
        return {
          value: join(l?.value ?? null, r?.value ?? null),
          timestamp: Math.max(l?.timestamp ?? -1, r?.timestamp ?? -1),
        };
      };
    });
  }
}
