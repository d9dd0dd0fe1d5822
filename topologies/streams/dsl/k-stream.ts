import type { CallContext, SinkNode, TopologyNode } from '../plan/node.ts';
import { type BranchRule, branchChild, branchOperator } from '../runtime/operators/branch.ts';
import { operator, passOn } from '../runtime/operators/operator.ts';
import { processOperator } from '../runtime/operators/process.ts';
import { type AnyRecord, withKeyAndValue, withValue } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import { asyncValues } from './async-values.ts';
import { BranchedKStream } from './branched-k-stream.ts';
import type { Graph, Serdes2 } from './graph.ts';
import { KGroupedStream } from './k-grouped-stream.ts';
import { GlobalKTable, type KTable } from './k-table.ts';
import { KeysTogether, type StreamPlace } from './keys-together.ts';
import { needSerde } from './need-serde.ts';
import type { ProcessorSupplier } from './processor.ts';
import {
  bufferCount,
  distinctUntilChanged,
  pairwise,
  type RememberOptions,
  type ScanOptions,
  scan,
} from './remembering.ts';
import { repartitioned } from './repartition.ts';
import { joinGlobalTable, joinStreams, joinTable, type StreamJoinType } from './stream-joins.ts';
import type {
  MapAsyncOptions,
  Named,
  ProcessOptions,
  ProducedOptions,
  RepartitionOptions,
  StreamJoinOptions,
  StreamTableJoinOptions,
  ToTableOptions,
  ValueJoiner,
} from './stream-options.ts';
import { type Pipe, pipeNode } from './stream-pipe.ts';
import type { TopicLike } from './streams-builder.ts';
import { tableOf } from './table-source.ts';
import { windowedPartitioner } from './windowed-serdes.ts';
import type { JoinWindows } from './windows.ts';

/** A stream of records. Every method adds a node; nothing runs until a task or a test driver runs the built topology. */
export class KStream<K, V> {
  readonly #graph: Graph;
  readonly #node: TopologyNode;
  readonly #serdes: Serdes2<K, V>;
  readonly #keyChanged: boolean;
  readonly #place: StreamPlace<K, V>;
  readonly #keys: KeysTogether<K, V>;

  constructor(graph: Graph, node: TopologyNode, serdes: Serdes2<K, V>, keyChanged: boolean) {
    this.#graph = graph;
    this.#node = node;
    this.#serdes = serdes;
    this.#keyChanged = keyChanged;
    this.#place = { graph, node, serdes, keyChanged };
    this.#keys = new KeysTogether(this.#place);
  }

  get node(): TopologyNode {
    return this.#node;
  }

  // ---- stateless

  /** Keeps records for which the predicate holds; one that tells the type of the value narrows it. */
  filter<S extends V>(predicate: (key: K, value: V) => value is S, named?: Named): KStream<K, S>;
  filter(predicate: (key: K, value: V) => boolean, named?: Named): KStream<K, V>;
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

  /** Both streams' records, in the order in which they come. Of two value serdes none is known below: neither writes both kinds of values. */
  merge<V2 = V>(other: KStream<K, V2>, named: Named = {}): KStream<K, V | V2> {
    const name = this.#graph.name('KSTREAM-MERGE-', named.as);
    const node = this.#graph.processor(name, [this.#node, other.#node], (task) => passOn(task, name));
    const [own, others] = [this.#serdes.value as Serde<V | V2> | null, other.#serdes.value as Serde<V | V2> | null]; // if they are one
    const serdes = { key: this.#serdes.key ?? other.#serdes.key, value: own === others ? own : null };
    return new KStream<K, V | V2>(this.#graph, node, serdes, this.#keyChanged || other.#keyChanged);
  }

  /** Each record goes to the first branch whose predicate holds, else to the default branch, else nowhere. */
  split(named: Named = {}): BranchedKStream<K, V> {
    const name = this.#graph.name('KSTREAM-BRANCH-', named.as);
    const rules: BranchRule[] = [];
    const node = this.#graph.processor(name, [this.#node], (task) => branchOperator(task, name, rules));
    return new BranchedKStream<K, V>(rules, (branch, index) => {
      const child = this.#graph.name('KSTREAM-BRANCHCHILD-', `${name}${branch === undefined ? index : `-${branch}`}`);
      const below = this.#graph.processor(child, [node], (task) => branchChild(task, child, index));
      return new KStream<K, V>(this.#graph, below, this.#serdes, this.#keyChanged);
    });
  }

  /**
   * RxJS operators over records, synchronous and without memory between records: map, filter, concatMap of arrays, tap. What remembers is
   * lost with a crash, so use the store-backed `scan`, `distinctUntilChanged`, `pairwise` and `bufferCount`; what waits is `mapAsync`. What an
   * operator throws goes to the failure handler with the record. An emission outside the call of a record, or a completion, stops the task
   * with a PipeRuleError. The key counts as changed.
   */
  get pipe(): Pipe<K, V> {
    // biome-ignore lint/suspicious/noExplicitAny: `Pipe` has the types
    return (...given: unknown[]): KStream<any, any> =>
      new KStream(this.#graph, pipeNode(this.#place, given), { key: null, value: null }, true);
  }

  /**
   * Asks `mapper` for each new value, up to `maxInFlight` records ahead, and sends the answers on in the order of their partition, with the
   * record's own key, time and headers. A record that waits for its answer is not processed yet: its offset is not committed, and stream
   * time has not come to it. So a call may be made again after a crash or a rebalance (`topic`, `partition` and `offset` in its context
   * tell that it is the same), and its answer counts once. A rejection goes to the failure handler with the record.
   *
   * It stands at the beginning of a sub-topology: behind anything but `builder.stream` or `repartition` the records go through a topic of
   * its own, `<application-id>-<as>-repartition`.
   * @throws InvalidArgumentError; MissingSerdeError – it needs the topic
   */
  mapAsync<V2>(
    mapper: (value: V, key: K, context: CallContext) => Promise<V2>,
    options: MapAsyncOptions<K, V>,
  ): KStream<K, V2> {
    const { node, key } = asyncValues(this.#place, mapper, options);
    return new KStream<K, V2>(this.#graph, node, { key, value: null }, false);
  }

  // ---- RxJS operators that remember: per key, in a store, in the order of the partition

  /**
   * RxJS's `scan`, per key. What has been accumulated is kept in `store` and goes on with the time and headers of the record. A null value
   * is given to the accumulator as any other; a null result goes on too, its key is forgotten and begins at the seed again. Records with a
   * null key are dropped and counted. Where the key has changed they go through `<application-id>-<as or store>-repartition` first.
   * @param seed never to be changed by the accumulator: it is that of every key
   */
  scan<A, R extends A | null = A>(
    accumulator: (accumulated: A, value: V, key: K) => R,
    seed: A,
    options: ScanOptions<K, A>,
  ): KStream<K, R> {
    const { node, key } = scan(this.#place, accumulator, seed, options);
    const value = options.valueSerde as Serde<R>; // null never reaches a serde
    return new KStream<K, R>(this.#graph, node, { key, value }, false);
  }

  /**
   * RxJS's `distinctUntilChanged`, per key: leaves out a record whose value equals that of the key's last record that went on. Without a
   * comparator values are equal if their bytes are. A null value is one too. Null keys and changed keys: as `scan`.
   */
  distinctUntilChanged(options: RememberOptions<K, V>): KStream<K, V>;
  distinctUntilChanged(comparator: (previous: V, current: V) => boolean, options: RememberOptions<K, V>): KStream<K, V>;
  distinctUntilChanged(
    first: RememberOptions<K, V> | ((previous: V, current: V) => boolean),
    second?: RememberOptions<K, V>,
  ): KStream<K, V> {
    const comparator = typeof first === 'function' ? first : null;
    const options = (typeof first === 'function' ? second : first) as RememberOptions<K, V>; // by the overloads
    const { node, key } = distinctUntilChanged(this.#place, comparator, options);
    return new KStream<K, V>(this.#graph, node, { key, value: options.valueSerde ?? this.#serdes.value }, false);
  }

  /** RxJS's `pairwise`, per key: from its second record on, each value with the one before it. Null keys and changed keys: as `scan`. */
  pairwise(options: RememberOptions<K, V>): KStream<K, readonly [V, V]> {
    const { node, key } = pairwise(this.#place, options);
    return new KStream<K, readonly [V, V]>(this.#graph, node, { key, value: null }, false);
  }

  /**
   * RxJS's `bufferCount`, per key: `size` values together, with the time and headers of the last. A buffer that is never filled never goes
   * on. Null keys and changed keys: as `scan`.
   * @param every a buffer begins with every so manieth record. Default `size`: one ends where the next begins
   */
  bufferCount(size: number, options: RememberOptions<K, V>): KStream<K, readonly V[]>;
  bufferCount(size: number, every: number, options: RememberOptions<K, V>): KStream<K, readonly V[]>;
  bufferCount(
    size: number,
    second: number | RememberOptions<K, V>,
    third?: RememberOptions<K, V>,
  ): KStream<K, readonly V[]> {
    const every = typeof second === 'number' ? second : size;
    const options = (typeof second === 'number' ? third : second) as RememberOptions<K, V>; // by the overloads
    const { node, key } = bufferCount(this.#place, size, every, options);
    return new KStream<K, readonly V[]>(this.#graph, node, { key, value: null }, false);
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
    const { as, partitions = null } = options;
    const serdes = { key: options.keySerde ?? this.#serdes.key, value: options.valueSerde ?? this.#serdes.value };
    const generated = as ?? this.#graph.name('KSTREAM-REPARTITION-');
    const through = { as, generated, serdes, partitions, nullKeys: 'dropped' as const };
    return new KStream<K, V>(this.#graph, repartitioned(this.#graph, this.#node, through), serdes, false);
  }

  /** @param options.as names the repartition topic, where the key has changed; without it the store of the aggregation does */
  groupByKey(options: RepartitionOptions<K, V> = {}): KGroupedStream<K, V> {
    const serdes = { key: options.keySerde ?? this.#serdes.key, value: options.valueSerde ?? this.#serdes.value };
    const grouping = { keyChanged: this.#keyChanged, as: options.as, partitions: options.partitions ?? null };
    return new KGroupedStream<K, V>(this.#graph, this.#node, serdes, grouping);
  }

  groupBy<K2>(mapper: (key: K, value: V) => K2, options: RepartitionOptions<K2, V> = {}): KGroupedStream<K2, V> {
    return this.selectKey(mapper, options.as === undefined ? {} : { as: options.as }).groupByKey(options);
  }

  /** The latest value of each key; kept in `store`, or passed on as it comes. */
  toTable(options: ToTableOptions<K, V> = {}): KTable<K, V> {
    const graph = this.#graph;
    const serdes = { key: options.keySerde ?? this.#serdes.key, value: options.valueSerde ?? this.#serdes.value };
    const { partitions = null } = options;
    const name = graph.name('KSTREAM-TOTABLE-', options.as);
    const store = options.store ?? graph.name('KSTREAM-TOTABLE-STATE-STORE-');
    const as = graph.semantics === 'strict' ? (options.as ?? options.store) : name; // the original's topic has not the store's name
    return tableOf(graph, this.#keys.node({ as, generated: name, serdes, partitions }), name, serdes, options, store);
  }

  // ---- joins

  /** Both sides within a window of record time; each pair once, when its later half arrives. */
  join<V2, R>(
    other: KStream<K, V2>,
    joiner: ValueJoiner<K, V, V2, R>,
    windows: JoinWindows,
    options?: StreamJoinOptions<K, V, V2>,
  ): KStream<K, R>;
  /**
   * With the table's row of the record's key: as it is when the record arrives, or, of a versioned table, as it was at the record's time.
   * Without a row the record is dropped.
   */
  join<V2, R>(
    table: KTable<K, V2>,
    joiner: ValueJoiner<K, V, V2, R>,
    options?: StreamTableJoinOptions<K, V>,
  ): KStream<K, R>;
  /** With the row of whatever key the record names; no co-partitioning is needed. */
  join<K2, V2, R>(
    table: GlobalKTable<K2, V2>,
    keyOf: (key: K, value: V) => K2 | null,
    joiner: ValueJoiner<K, V, V2, R>,
    named?: Named,
  ): KStream<K, R>;
  // biome-ignore lint/suspicious/noExplicitAny: the overloads above are the types
  join(other: any, second: any, third?: any, fourth?: any): KStream<K, any> {
    return this.#joined('inner', other, second, third, fourth);
  }

  /** As `join`, and a record of this stream that met nobody while its window and grace lasted goes on alone, at its own time. */
  leftJoin<V2, R>(
    other: KStream<K, V2>,
    joiner: ValueJoiner<K, V, V2 | null, R>,
    windows: JoinWindows,
    options?: StreamJoinOptions<K, V, V2>,
  ): KStream<K, R>;
  /** As `join`; without a row the joiner gets null. */
  leftJoin<V2, R>(
    table: KTable<K, V2>,
    joiner: ValueJoiner<K, V, V2 | null, R>,
    options?: StreamTableJoinOptions<K, V>,
  ): KStream<K, R>;
  leftJoin<K2, V2, R>(
    table: GlobalKTable<K2, V2>,
    keyOf: (key: K, value: V) => K2 | null,
    joiner: ValueJoiner<K, V, V2 | null, R>,
    named?: Named,
  ): KStream<K, R>;
  // biome-ignore lint/suspicious/noExplicitAny: the overloads above are the types
  leftJoin(other: any, second: any, third?: any, fourth?: any): KStream<K, any> {
    return this.#joined('left', other, second, third, fourth);
  }

  /** As `leftJoin`, for records of both streams. */
  outerJoin<V2, R>(
    other: KStream<K, V2>,
    joiner: ValueJoiner<K, V | null, V2 | null, R>,
    windows: JoinWindows,
    options: StreamJoinOptions<K, V, V2> = {},
  ): KStream<K, R> {
    return this.#joined('outer', other, joiner, windows, options);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the overloads of the joins are the types
  #joined(type: StreamJoinType, other: any, second: any, third: any, fourth: any): KStream<K, any> {
    const { node, key, keyChanged } =
      other instanceof KStream
        ? joinStreams(type, this.#keys, other.#keys, second, third, fourth ?? {})
        : other instanceof GlobalKTable
          ? joinGlobalTable(this.#place, other, second, third, fourth ?? {}, type === 'left')
          : joinTable(this.#keys, other, second, third ?? {}, type === 'left');
    return new KStream(this.#graph, node, { key, value: null }, keyChanged);
  }

  // ---- out

  /** @param topic a topic with serdes, a name, or what chooses the name of an existing topic for each record */
  to(topic: TopicLike<K, V> | string | ((key: K, value: V) => string), options: ProducedOptions<K, V> = {}): void {
    const name = this.#graph.name('KSTREAM-SINK-', options.as);
    const given = typeof topic === 'object' ? topic : undefined;
    const key = needSerde(options.keySerde ?? given?.keySerde ?? this.#serdes.key, 'keySerde', name);
    const value = needSerde(options.valueSerde ?? given?.valueSerde ?? this.#serdes.value, 'valueSerde', name);
    const partitioner = options.partitioner as SinkNode['partitioner'] | undefined; // types are erased below
    this.#graph.sink({
      name,
      parents: [this.#node],
      topic: typeof topic === 'object' ? topic.name : (topic as string | ((key: unknown, value: unknown) => string)), // likewise
      internal: false,
      keySerde: key as Serde<unknown>,
      valueSerde: value as Serde<unknown>,
      partitioner: partitioner ?? windowedPartitioner(given?.name ?? name, key as Serde<unknown>),
    });
  }

  // ---- inside

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
