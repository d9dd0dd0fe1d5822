import { MissingSerdeError, TopologyError } from '../errors.ts';
import type { TopologyNode } from '../plan/node.ts';
import { tableSelect } from '../runtime/operators/aggregate.ts';
import { operator } from '../runtime/operators/operator.ts';
import { suppress } from '../runtime/operators/suppress.ts';
import {
  changeOf,
  type Side,
  type TableState,
  tableFilter,
  tableJoinMerge,
  tableMapValues,
  tableTableJoin,
} from '../runtime/operators/table.ts';
import { withValue } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import { type ForeignKeyJoinOptions, foreignKeyJoin } from './foreign-key-join.ts';
import { type Graph, type Serdes2, sourcesOf } from './graph.ts';
import { KGroupedTable } from './k-grouped-table.ts';
import { KStream } from './k-stream.ts';
import { type HistoryOptions, tableStore } from './stores.ts';
import type { Named } from './stream-options.ts';
import { type SuppressOptions, suppressRules, type UntilTimeLimit, type UntilWindowCloses } from './suppressed.ts';
import { derivedBehaviour, joinedBehaviour, suppressedBehaviour, type TableBehaviour } from './table-behaviour.ts';
import type { Windowed } from './windowed.ts';

/** The same rows on every instance; only for look-ups. */
export class GlobalKTable<K, V> {
  readonly store: string;
  /** Only types: which rows the table has. */
  declare readonly rows: readonly [K, V];

  constructor(store: string) {
    this.store = store;
  }
}

/** `store` keeps a table's rows under that name; without it they are computed from the table upstream. */
export interface TableResultOptions<V> extends Named, HistoryOptions {
  readonly store?: string;
  readonly valueSerde?: Serde<V>;
  readonly persistent?: boolean;
}

export interface GroupByOptions<K, V> extends Named {
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V>;
}

/** The latest value of each key. Between its nodes flow changes (new and old value), not values. */
export class KTable<K, V> {
  readonly #graph: Graph;
  readonly node: TopologyNode;
  readonly serdes: Serdes2<K, V>;
  readonly behaviour: TableBehaviour;

  constructor(graph: Graph, node: TopologyNode, serdes: Serdes2<K, V>, behaviour: TableBehaviour) {
    this.#graph = graph;
    this.node = node;
    this.serdes = serdes;
    this.behaviour = behaviour;
  }

  /** Null stays null: a mapper sees rows only. */
  mapValues<V2>(mapper: (value: V, key: K) => V2 | null, options: TableResultOptions<V2> = {}): KTable<K, V2> {
    const map = (value: unknown, key: unknown) => (value === null ? null : mapper(value as V, key as K)); // types are erased below
    return this.#mapped('KTABLE-MAPVALUES-', map, options);
  }

  /** As `mapValues`, and called for keys without a row too. */
  transformValues<V2>(
    transformer: (key: K, value: V | null) => V2 | null,
    options: TableResultOptions<V2> = {},
  ): KTable<K, V2> {
    const map = (value: unknown, key: unknown) => transformer(key as K, value as V | null); // types are erased below
    return this.#mapped('KTABLE-TRANSFORMVALUES-', map, options);
  }

  /** A predicate that tells the type of the value narrows it. */
  filter<S extends V>(predicate: (key: K, value: V) => value is S, options?: TableResultOptions<V>): KTable<K, S>;
  filter(predicate: (key: K, value: V) => boolean, options?: TableResultOptions<V>): KTable<K, V>;
  filter(predicate: (key: K, value: V) => boolean, options: TableResultOptions<V> = {}): KTable<K, V> {
    const test = predicate as (key: unknown, value: unknown) => boolean; // types are erased below
    const name = this.#graph.name('KTABLE-FILTER-', options.as);
    const state = this.#state(name, options, this.serdes.value);
    const kept = (value: unknown, key: unknown) => (value !== null && test(key, value) ? value : null);
    const behaviour = derivedBehaviour(state, this.behaviour, kept, options.versionedMs);
    if (this.behaviour.sendOldValues(false)) state.sendsOldValues = true;
    const versioned = this.behaviour.versionedMs !== undefined;
    const node = this.#graph.processor(
      name,
      [this.node],
      (task) => tableFilter(task, name, state, test, versioned),
      own(state),
    );
    return new KTable<K, V>(this.#graph, node, this.serdes, behaviour);
  }

  filterNot(predicate: (key: K, value: V) => boolean, options: TableResultOptions<V> = {}): KTable<K, V> {
    return this.filter((key, value) => !predicate(key, value), options);
  }

  /** Every change as a record: its new value, null where the row is gone. */
  toStream(named: Named = {}): KStream<K, V> {
    const name = this.#graph.name('KTABLE-TOSTREAM-', named.as);
    const node = this.#graph.processor(name, [this.node], (task) =>
      operator(task, name, (record, emit) => emit(withValue(record, changeOf(record).newValue))),
    );
    return new KStream<K, V>(this.#graph, node, this.serdes, false);
  }

  /** Holds updates back for a time of stream time from a key's first one, and sends the last. Whatever reaches the step moves its time. */
  suppress(options: UntilTimeLimit<K, V>): KTable<K, V>;
  /** Sends each window's last update once, when stream time has passed its end and grace; windows that were deleted are not told. */
  suppress<W>(this: KTable<Windowed<W>, V>, options: UntilWindowCloses<K, V>): KTable<Windowed<W>, V>;
  /** @throws TopologyError – the table is versioned, or has no windows to wait for */
  // biome-ignore lint/suspicious/noExplicitAny: the overloads above are the types
  suppress(options: SuppressOptions<K, V>): any {
    const { name, serdes, rules } = suppressRules(this.#graph, this, options);
    this.behaviour.sendOldValues(true);
    const node = this.#graph.processor(name, [this.node], (task) => suppress(task, name, rules), [rules.store]);
    return new KTable<K, V>(this.#graph, node, serdes, suppressedBehaviour(rules.store, this.behaviour));
  }

  /** Groups rows anew, for aggregations that add what a row gives and take out what it gave before. */
  groupBy<K2, V2>(
    mapper: (key: K, value: V) => readonly [K2, V2],
    options: GroupByOptions<K2, V2> = {},
  ): KGroupedTable<K2, V2> {
    this.behaviour.sendOldValues(true);
    const name = this.#graph.name('KTABLE-SELECT-', options.as);
    const { keySerde = null, valueSerde = null } = options;
    const sameKey = (a: unknown, b: unknown) =>
      a === b ||
      (keySerde !== null && Buffer.compare(keySerde.serialize(name, a as K2), keySerde.serialize(name, b as K2)) === 0); // both came out of the mapper
    const node = this.#graph.processor(name, [this.node], (task) => tableSelect(task, name, mapper, sameKey));
    return new KGroupedTable<K2, V2>(this.#graph, node, { key: keySerde, value: valueSerde }, options.as);
  }

  /** Rows of equal keys. */
  join<V2, R>(
    other: KTable<K, V2>,
    joiner: (left: V, right: V2, key: K) => R | null,
    options?: TableResultOptions<R>,
  ): KTable<K, R>;
  /**
   * Each row with the row of `other` whose key it names; the result is keyed as this table. Needs a name (`as`).
   * @param foreignKeyOf null: the row has no result
   */
  join<K2, V2, R>(
    other: KTable<K2, V2>,
    foreignKeyOf: (value: V, key: K) => K2 | null,
    joiner: (left: V, right: V2, key: K) => R | null,
    options?: ForeignKeyJoinOptions<K2, V2, R>,
  ): KTable<K, R>;
  // biome-ignore lint/suspicious/noExplicitAny: the overloads above are the types
  join(other: any, second: any, third?: any, fourth?: any): KTable<K, any> {
    if (typeof third === 'function') return this.#joinForeign(other, second, third, fourth ?? {}, false);
    return this.#join(other, second, 'inner', third ?? {});
  }

  /** As `join`, and a row whose other side is missing is joined with null. */
  leftJoin<V2, R>(
    other: KTable<K, V2>,
    joiner: (left: V, right: V2 | null, key: K) => R | null,
    options?: TableResultOptions<R>,
  ): KTable<K, R>;
  /** @param foreignKeyOf null: the row is joined with null */
  leftJoin<K2, V2, R>(
    other: KTable<K2, V2>,
    foreignKeyOf: (value: V, key: K) => K2 | null,
    joiner: (left: V, right: V2 | null, key: K) => R | null,
    options?: ForeignKeyJoinOptions<K2, V2, R>,
  ): KTable<K, R>;
  // biome-ignore lint/suspicious/noExplicitAny: the overloads above are the types
  leftJoin(other: any, second: any, third?: any, fourth?: any): KTable<K, any> {
    if (typeof third === 'function') return this.#joinForeign(other, second, third, fourth ?? {}, true);
    return this.#join(other, second, 'left', third ?? {});
  }

  outerJoin<V2, R>(
    other: KTable<K, V2>,
    joiner: (left: V | null, right: V2 | null, key: K) => R | null,
    options: TableResultOptions<R> = {},
  ): KTable<K, R> {
    return this.#join(other, joiner, 'outer', options);
  }

  #joinForeign<K2, V2, R>(
    right: KTable<K2, V2>,
    foreignKeyOf: (value: V, key: K) => K2 | null,
    joiner: (left: V, right: V2, key: K) => R | null,
    options: ForeignKeyJoinOptions<K2, V2, R>,
    leftJoin: boolean,
  ): KTable<K, R> {
    return foreignKeyJoin(this.#graph, { left: this, right, foreignKeyOf, joiner, leftJoin, options });
  }

  #mapped<V2>(
    prefix: string,
    map: (value: unknown, key: unknown) => unknown,
    options: TableResultOptions<V2>,
  ): KTable<K, V2> {
    const name = this.#graph.name(prefix, options.as);
    const serdes = { key: this.serdes.key, value: options.valueSerde ?? null };
    const state = this.#state(name, options, serdes.value);
    const behaviour = derivedBehaviour(state, this.behaviour, map, options.versionedMs);
    const node = this.#graph.processor(name, [this.node], (task) => tableMapValues(task, name, state, map), own(state));
    return new KTable<K, V2>(this.#graph, node, serdes, behaviour);
  }

  #join<V2, R>(
    other: KTable<K, V2>,
    joiner: unknown,
    type: 'inner' | 'left' | 'outer',
    options: TableResultOptions<R>,
  ): KTable<K, R> {
    const typed = joiner as (left: unknown, right: unknown, key: unknown) => unknown; // the public methods have the types
    const join = (key: unknown, left: unknown, right: unknown) => typed(left, right, key);
    if (type !== 'inner') this.behaviour.sendOldValues(true);
    if (type === 'outer') other.behaviour.sendOldValues(true);
    const leftState: TableState = { store: null, sendsOldValues: false };
    const rightState: TableState = { store: null, sendsOldValues: false };
    const name = this.#graph.name('KTABLE-MERGE-', options.as);
    const leftName = this.#graph.name('KTABLE-JOINTHIS-', options.as && `${options.as}-join-this`);
    const rightName = this.#graph.name('KTABLE-JOINOTHER-', options.as && `${options.as}-join-other`);
    const left = this.behaviour.view();
    const right = other.behaviour.view();
    const side = (isLeft: boolean): Side => ({ isLeft, type, join });
    const leftNode = this.#graph.processor(
      leftName,
      [this.node],
      (task) => tableTableJoin(task, leftName, leftState, right.getter(task), side(true)),
      right.stores,
    );
    const rightNode = this.#graph.processor(
      rightName,
      [other.node],
      (task) => tableTableJoin(task, rightName, rightState, left.getter(task), side(false)),
      left.stores,
    );
    const serdes = { key: this.serdes.key ?? other.serdes.key, value: options.valueSerde ?? null };
    const state = this.#state(name, options, serdes.value);
    const node = this.#graph.processor(
      name,
      [leftNode, rightNode],
      (task) => tableJoinMerge(task, name, state),
      own(state),
    );
    this.#graph.coPartition({ node: name, sources: [...sourcesOf(this.node), ...sourcesOf(other.node)] });
    const states = [leftState, rightState, state];
    const sides = { left: this.behaviour, right: other.behaviour, type, join, states };
    const behaviour = joinedBehaviour(state, sides, options.versionedMs);
    return new KTable<K, R>(this.#graph, node, serdes, behaviour);
  }

  #state<V2>(name: string, options: TableResultOptions<V2>, valueSerde: Serde<V2> | null): TableState {
    const { store } = options;
    if (store === undefined) {
      if (options.versionedMs === undefined) return { store: null, sendsOldValues: false };
      throw new TopologyError(
        `${name} is to keep a history and has no store; nothing was built. Name one in its options.`,
      );
    }
    const serde = options.valueSerde ?? valueSerde;
    if (this.serdes.key === null || serde === null) {
      const what = this.serdes.key === null ? 'keySerde' : 'valueSerde';
      throw new MissingSerdeError(
        `${name} keeps its rows in ${store} and needs a ${what} for it, and none is known there; nothing was built. Give one in its options.`,
      );
    }
    const { persistent, versionedMs } = options;
    this.#graph.addStore(
      tableStore({ name: store, keySerde: this.serdes.key, valueSerde: serde, persistent, versionedMs }),
    );
    return { store, sendsOldValues: false };
  }
}

const own = (state: TableState): readonly string[] => (state.store === null ? [] : [state.store]);
