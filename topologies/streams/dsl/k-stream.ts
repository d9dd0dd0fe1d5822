import type { OperatorFunction } from 'rxjs';
import { MissingSerdeError, UnnamedOperatorError } from '../errors.ts';
import type { TopologyNode } from '../plan/node.ts';
import { operator } from '../runtime/operators/operator.ts';
import { pipeOperator } from '../runtime/operators/pipe.ts';
import { processOperator } from '../runtime/operators/process.ts';
import { streamStreamJoin } from '../runtime/operators/stream-stream-join.ts';
import { streamGlobalTableJoin, streamTableJoin } from '../runtime/operators/stream-table-join.ts';
import { tableFromStream } from '../runtime/operators/table.ts';
import { type AnyRecord, type StreamRecord, withKeyAndValue, withValue } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import { windowStore } from '../state/window-store.ts';
import { type Graph, type Serdes2, sourcesOf } from './graph.ts';
import { KGroupedStream } from './k-grouped-stream.ts';
import { GlobalKTable, KTable } from './k-table.ts';
import type { ProcessorSupplier } from './processor.ts';
import { Stores } from './stores.ts';
import type { TopicLike } from './streams-builder.ts';
import type { JoinWindows } from './windows.ts';

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

export interface ProducedOptions<K, V> extends Named {
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V>;
  readonly partitioner?: (key: K, value: V, partitions: number) => number;
}

export interface StreamJoinOptions<V1, V2> {
  /** Names the join and its two window stores. */
  readonly as: string;
  readonly valueSerde?: Serde<V1>;
  readonly otherValueSerde?: Serde<V2>;
}

export type ValueJoiner<K, V1, V2, R> = (left: V1, right: V2, key: K) => R;

const need = <T>(serde: Serde<T> | null | undefined, what: string, node: string): Serde<T> => {
  if (serde === null || serde === undefined) {
    throw new MissingSerdeError(
      `${node} needs a ${what}, and none is known there; nothing was built. Give one in its options.`,
    );
  }
  return serde;
};

/** A stream of records. Every method adds a node; nothing runs until a task or a test driver runs the built topology. */
export class KStream<K, V> {
  readonly #graph: Graph;
  readonly #node: TopologyNode;
  readonly #serdes: Serdes2<K, V>;
  /** The key may have changed since the records were partitioned: what needs equal keys together must repartition first. */
  readonly #keyChanged: boolean;

  constructor(graph: Graph, node: TopologyNode, serdes: Serdes2<K, V>, keyChanged: boolean) {
    this.#graph = graph;
    this.#node = node;
    this.#serdes = serdes;
    this.#keyChanged = keyChanged;
  }

  get node(): TopologyNode {
    return this.#node;
  }

  // ---- stateless

  /** Keeps records for which the predicate holds. */
  filter(predicate: (key: K, value: V) => boolean, named?: Named): KStream<K, V>;
  filter<S extends V>(predicate: (key: K, value: V) => value is S, named?: Named): KStream<K, S>;
  filter(predicate: (key: K, value: V) => boolean, named: Named = {}): KStream<K, V> {
    return this.#same('KSTREAM-FILTER-', named, (record, emit) => {
      if (predicate(record.key, record.value)) emit(record);
    });
  }

  /** Keeps records for which the predicate does not hold. */
  filterNot(predicate: (key: K, value: V) => boolean, named: Named = {}): KStream<K, V> {
    return this.#same('KSTREAM-FILTER-', named, (record, emit) => {
      if (!predicate(record.key, record.value)) emit(record);
    });
  }

  map<K2, V2>(mapper: (key: K, value: V) => readonly [K2, V2], named: Named = {}): KStream<K2, V2> {
    return this.#next<K2, V2>('KSTREAM-MAP-', named, { key: null, value: null }, true, (record, emit) => {
      const [key, value] = mapper(record.key, record.value);
      emit(withKeyAndValue(record, key, value));
    });
  }

  /** The key stays, so nothing is repartitioned. */
  mapValues<V2>(mapper: (value: V, key: K) => V2, named: Named = {}): KStream<K, V2> {
    return this.#next<K, V2>(
      'KSTREAM-MAPVALUES-',
      named,
      { key: this.#serdes.key, value: null },
      this.#keyChanged,
      (record, emit) => emit(withValue(record, mapper(record.value, record.key))),
    );
  }

  flatMap<K2, V2>(mapper: (key: K, value: V) => Iterable<readonly [K2, V2]>, named: Named = {}): KStream<K2, V2> {
    return this.#next<K2, V2>('KSTREAM-FLATMAP-', named, { key: null, value: null }, true, (record, emit) => {
      for (const [key, value] of mapper(record.key, record.value)) emit(withKeyAndValue(record, key, value));
    });
  }

  flatMapValues<V2>(mapper: (value: V, key: K) => Iterable<V2>, named: Named = {}): KStream<K, V2> {
    return this.#next<K, V2>(
      'KSTREAM-FLATMAPVALUES-',
      named,
      { key: this.#serdes.key, value: null },
      this.#keyChanged,
      (record, emit) => {
        for (const value of mapper(record.value, record.key)) emit(withValue(record, value));
      },
    );
  }

  selectKey<K2>(mapper: (key: K, value: V) => K2, named: Named = {}): KStream<K2, V> {
    return this.#next<K2, V>(
      'KSTREAM-KEY-SELECT-',
      named,
      { key: null, value: this.#serdes.value },
      true,
      (record, emit) => emit(withKeyAndValue(record, mapper(record.key, record.value), record.value)),
    );
  }

  /** For looking only; it runs again when a record is processed again. */
  peek(look: (key: K, value: V) => void, named: Named = {}): KStream<K, V> {
    return this.#same('KSTREAM-PEEK-', named, (record, emit) => {
      look(record.key, record.value);
      emit(record);
    });
  }

  merge(other: KStream<K, V>, named: Named = {}): KStream<K, V> {
    const name = this.#graph.name('KSTREAM-MERGE-', named.as);
    const node = this.#graph.processor(name, [this.#node, other.#node], (task) =>
      operator(task, name, (record, emit) => emit(record)),
    );
    const serdes = { key: this.#serdes.key ?? other.#serdes.key, value: this.#serdes.value ?? other.#serdes.value };
    return new KStream<K, V>(this.#graph, node, serdes, this.#keyChanged || other.#keyChanged);
  }

  /** Each record goes to the first branch whose predicate holds; without one it goes nowhere. */
  split(predicates: readonly ((key: K, value: V) => boolean)[], named: Named = {}): readonly KStream<K, V>[] {
    const base = this.#graph.name('KSTREAM-BRANCH-', named.as);
    return predicates.map((predicate, index) =>
      this.#same('KSTREAM-BRANCHCHILD-', { as: `${base}-${index + 1}` }, (record, emit) => {
        if (predicates.slice(0, index).some((earlier) => earlier(record.key, record.value))) return;
        if (predicate(record.key, record.value)) emit(record);
      }),
    );
  }

  /** RxJS operators over records, synchronous and without memory between records: map, filter, concatMap of arrays, tap. */
  pipe<K2, V2>(
    segment: OperatorFunction<StreamRecord<K, V>, StreamRecord<K2, V2>>,
    named: Named = {},
  ): KStream<K2, V2> {
    const name = this.#graph.name('KSTREAM-PIPE-', named.as);
    const node = this.#graph.processor(name, [this.#node], (task) => pipeOperator(task, name, segment));
    return new KStream<K2, V2>(this.#graph, node, { key: null, value: null }, true);
  }

  // ---- with code and stores of the author's

  process<K2 = K, V2 = V>(supplier: ProcessorSupplier<K, V, K2, V2>, options: ProcessOptions = {}): KStream<K2, V2> {
    const name = this.#graph.name('KSTREAM-PROCESSOR-', options.as);
    const node = this.#graph.processor(
      name,
      [this.#node],
      (task) => processOperator(task, name, supplier, false),
      options.stores,
    );
    return new KStream<K2, V2>(this.#graph, node, { key: null, value: null }, true);
  }

  /** The key stays. */
  processValues<V2>(supplier: ProcessorSupplier<K, V, K, V2>, options: ProcessOptions = {}): KStream<K, V2> {
    const name = this.#graph.name('KSTREAM-PROCESSVALUES-', options.as);
    const node = this.#graph.processor(
      name,
      [this.#node],
      (task) => processOperator(task, name, supplier, true),
      options.stores,
    );
    return new KStream<K, V2>(this.#graph, node, { key: this.#serdes.key, value: null }, this.#keyChanged);
  }

  // ---- by key

  /** Sends every record to the partition of its key, through a topic of the application's own. */
  repartition(options: RepartitionOptions<K, V> = {}): KStream<K, V> {
    const key = options.keySerde ?? this.#serdes.key;
    const value = options.valueSerde ?? this.#serdes.value;
    return this.#throughTopic(options.as, key, value, options.partitions ?? null);
  }

  /** @param options.as required when the key has changed: it names the repartition topic */
  groupByKey(options: RepartitionOptions<K, V> = {}): KGroupedStream<K, V> {
    const key = options.keySerde ?? this.#serdes.key;
    const value = options.valueSerde ?? this.#serdes.value;
    const stream = this.#keyChanged ? this.#throughTopic(options.as, key, value, options.partitions ?? null) : this;
    return new KGroupedStream<K, V>(this.#graph, stream.#node, { key, value });
  }

  groupBy<K2>(mapper: (key: K, value: V) => K2, options: RepartitionOptions<K2, V> = {}): KGroupedStream<K2, V> {
    return this.selectKey(mapper).groupByKey({
      valueSerde: this.#serdes.value ?? undefined,
      ...definedOnly(options),
    } as RepartitionOptions<K2, V>); // undefined members were left out
  }

  /** The latest value of each key, kept in `store`. */
  toTable(options: RepartitionOptions<K, V> & { readonly store: string; readonly persistent?: boolean }): KTable<K, V> {
    const key = need(options.keySerde ?? this.#serdes.key, 'keySerde', options.store);
    const value = need(options.valueSerde ?? this.#serdes.value, 'valueSerde', options.store);
    const stream = this.#keyChanged ? this.#throughTopic(options.as, key, value, options.partitions ?? null) : this;
    const name = this.#graph.name('KSTREAM-TOTABLE-', options.as);
    this.#graph.addStore(
      Stores.timestampedKeyValue({
        name: options.store,
        keySerde: key,
        valueSerde: value,
        persistent: options.persistent ?? true,
      }),
    );
    const node = this.#graph.processor(name, [stream.#node], (task) => tableFromStream(task, name, options.store), [
      options.store,
    ]);
    return KTable.materialized<K, V>(this.#graph, node, { key, value }, options.store);
  }

  // ---- joins

  /** Both sides within a window of record time; each pair once, when its later half arrives. */
  join<V2, R>(
    other: KStream<K, V2>,
    joiner: ValueJoiner<K, V, V2, R>,
    windows: JoinWindows,
    options: StreamJoinOptions<V, V2>,
  ): KStream<K, R>;
  /** With the table's row of the record's key, as it is when the record arrives; without a row the record is dropped. */
  join<V2, R>(table: KTable<K, V2>, joiner: ValueJoiner<K, V, V2, R>, named?: Named): KStream<K, R>;
  /** With the row of whatever key the record names; no co-partitioning is needed. */
  join<K2, V2, R>(
    table: GlobalKTable<K2, V2>,
    keyOf: (key: K, value: V) => K2 | null,
    joiner: ValueJoiner<K, V, V2, R>,
    named?: Named,
  ): KStream<K, R>;
  // biome-ignore lint/suspicious/noExplicitAny: the overloads above are the types
  join(other: any, second: any, third?: any, fourth?: any): KStream<K, any> {
    if (other instanceof KStream) return this.#joinStream(other, second, third, fourth);
    if (other instanceof GlobalKTable) return this.#joinGlobal(other, second, third, fourth ?? {}, false);
    return this.#joinTable(other, second, third ?? {}, false);
  }

  /** As `join`; without a row the joiner gets null. */
  leftJoin<V2, R>(table: KTable<K, V2>, joiner: ValueJoiner<K, V, V2 | null, R>, named?: Named): KStream<K, R>;
  leftJoin<K2, V2, R>(
    table: GlobalKTable<K2, V2>,
    keyOf: (key: K, value: V) => K2 | null,
    joiner: ValueJoiner<K, V, V2 | null, R>,
    named?: Named,
  ): KStream<K, R>;
  // biome-ignore lint/suspicious/noExplicitAny: the overloads above are the types
  leftJoin(other: any, second: any, third?: any, fourth?: any): KStream<K, any> {
    if (other instanceof GlobalKTable) return this.#joinGlobal(other, second, third, fourth ?? {}, true);
    return this.#joinTable(other, second, third ?? {}, true);
  }

  #joinStream<V2, R>(
    other: KStream<K, V2>,
    joiner: ValueJoiner<K, V, V2, R>,
    windows: JoinWindows,
    options: StreamJoinOptions<V, V2>,
  ): KStream<K, R> {
    const key = need(this.#serdes.key ?? other.#serdes.key, 'keySerde', options.as);
    const value = need(options.valueSerde ?? this.#serdes.value, 'valueSerde', options.as);
    const otherValue = need(options.otherValueSerde ?? other.#serdes.value, 'otherValueSerde', options.as);
    const left = this.#keyChanged ? this.#throughTopic(`${options.as}-left`, key, value, null) : this;
    const right = other.#keyChanged ? other.#throughTopic(`${options.as}-right`, key, otherValue, null) : other;
    const stores = [`${options.as}-this-join-store`, `${options.as}-other-join-store`] as const;
    const retentionMs = windows.beforeMs + windows.afterMs + windows.graceMs;
    this.#graph.addStore(
      windowStore({ name: stores[0], keySerde: key, valueSerde: value, retentionMs, retainDuplicates: true }),
    );
    this.#graph.addStore(
      windowStore({ name: stores[1], keySerde: key, valueSerde: otherValue, retentionMs, retainDuplicates: true }),
    );
    const thisName = this.#graph.name('KSTREAM-JOINTHIS-', `${options.as}-this-join`);
    const otherName = this.#graph.name('KSTREAM-JOINOTHER-', `${options.as}-other-join`);
    const thisNode = this.#graph.processor(
      thisName,
      [left.#node],
      (task) => streamStreamJoin(task, thisName, { own: stores[0], other: stores[1], windows, isLeft: true, joiner }),
      stores,
    );
    const otherNode = this.#graph.processor(
      otherName,
      [right.#node],
      (task) => streamStreamJoin(task, otherName, { own: stores[1], other: stores[0], windows, isLeft: false, joiner }),
      stores,
    );
    const name = this.#graph.name('KSTREAM-MERGE-', `${options.as}-merge`);
    const node = this.#graph.processor(name, [thisNode, otherNode], (task) =>
      operator(task, name, (record, emit) => emit(record)),
    );
    this.#graph.coPartition({ node: options.as, sources: [...sourcesOf(left.#node), ...sourcesOf(right.#node)] });
    return new KStream<K, R>(this.#graph, node, { key, value: null }, false);
  }

  #joinTable<V2, R>(
    table: KTable<K, V2>,
    joiner: ValueJoiner<K, V, V2 | null, R>,
    named: Named,
    left: boolean,
  ): KStream<K, R> {
    const stream = this.#keyChanged
      ? this.#throughTopic(named.as, this.#serdes.key ?? table.serdes.key, this.#serdes.value, null)
      : this;
    const name = this.#graph.name(left ? 'KSTREAM-LEFTJOIN-' : 'KSTREAM-JOIN-', named.as);
    const node = this.#graph.processor(
      name,
      [stream.#node],
      (task) => streamTableJoin(task, name, table.getter(task), joiner, left),
      table.stores,
    );
    this.#graph.coPartition({ node: name, sources: [...sourcesOf(stream.#node), ...sourcesOf(table.node)] });
    return new KStream<K, R>(this.#graph, node, { key: stream.#serdes.key, value: null }, false);
  }

  #joinGlobal<K2, V2, R>(
    table: GlobalKTable<K2, V2>,
    keyOf: (key: K, value: V) => K2 | null,
    joiner: ValueJoiner<K, V, V2 | null, R>,
    named: Named,
    left: boolean,
  ): KStream<K, R> {
    const name = this.#graph.name(left ? 'KSTREAM-LEFTJOIN-' : 'KSTREAM-JOIN-', named.as);
    const node = this.#graph.processor(
      name,
      [this.#node],
      (task) => streamGlobalTableJoin(task, name, table.store, keyOf, joiner, left),
      [table.store],
    );
    return new KStream<K, R>(this.#graph, node, { key: this.#serdes.key, value: null }, this.#keyChanged);
  }

  // ---- out

  /** @param topic a topic with serdes, a name, or what chooses the name of an existing topic for each record */
  to(topic: TopicLike<K, V> | string | ((key: K, value: V) => string), options: ProducedOptions<K, V> = {}): void {
    const name = this.#graph.name('KSTREAM-SINK-', options.as);
    const given = typeof topic === 'object' ? topic : undefined;
    const key = need(options.keySerde ?? given?.keySerde ?? this.#serdes.key, 'keySerde', name);
    const value = need(options.valueSerde ?? given?.valueSerde ?? this.#serdes.value, 'valueSerde', name);
    this.#graph.sink({
      name,
      parents: [this.#node],
      topic: typeof topic === 'object' ? topic.name : (topic as string | ((key: unknown, value: unknown) => string)), // types are erased below
      internal: false,
      keySerde: key as Serde<unknown>,
      valueSerde: value as Serde<unknown>,
      partitioner:
        (options.partitioner as ((key: unknown, value: unknown, partitions: number) => number) | undefined) ?? null,
    });
  }

  // ---- inside

  #throughTopic(
    as: string | undefined,
    key: Serde<K> | null,
    value: Serde<V> | null,
    partitions: number | null,
  ): KStream<K, V> {
    if (as === undefined) {
      throw new UnnamedOperatorError(
        'the key has changed here, so a repartition topic is needed, and it has no name; nothing was built. Give one (as): a number would change with the topology.',
      );
    }
    const keySerde = need(key, 'keySerde', `${as}-repartition`) as Serde<unknown>;
    const valueSerde = need(value, 'valueSerde', `${as}-repartition`) as Serde<unknown>;
    this.#graph.sink({
      name: this.#graph.name('KSTREAM-SINK-', `${as}-repartition-sink`),
      parents: [this.#node],
      topic: as,
      internal: true,
      keySerde,
      valueSerde,
      partitioner: null,
    });
    const node = this.#graph.source({
      name: this.#graph.name('KSTREAM-SOURCE-', `${as}-repartition-source`),
      topic: as,
      internal: { partitions },
      keySerde,
      valueSerde,
      timestampExtractor: null,
      offsetReset: 'earliest',
      nullKeys: 'keep',
    });
    return new KStream<K, V>(this.#graph, node, { key, value }, false);
  }

  #same(
    prefix: string,
    named: Named,
    body: (record: AnyRecord, emit: (record: AnyRecord) => void) => void,
  ): KStream<K, V> {
    return this.#next<K, V>(prefix, named, this.#serdes, this.#keyChanged, body);
  }

  #next<K2, V2>(
    prefix: string,
    named: Named,
    serdes: Serdes2<K2, V2>,
    keyChanged: boolean,
    body: (record: AnyRecord, emit: (record: AnyRecord) => void) => void,
  ): KStream<K2, V2> {
    const name = this.#graph.name(prefix, named.as);
    const node = this.#graph.processor(name, [this.#node], (task) => operator(task, name, body));
    return new KStream<K2, V2>(this.#graph, node, serdes, keyChanged);
  }
}

const definedOnly = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>; // members only left out
