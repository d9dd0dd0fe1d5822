import { type OperatorFunction, pipe } from 'rxjs';
import { InvalidArgumentError, MissingSerdeError } from '../errors.ts';
import type { CallContext, SinkNode, TopologyNode } from '../plan/node.ts';
import { type BranchRule, branchChild, branchOperator } from '../runtime/operators/branch.ts';
import { mapAsyncOperator } from '../runtime/operators/map-async.ts';
import { operator, passOn } from '../runtime/operators/operator.ts';
import { pipeOperator } from '../runtime/operators/pipe.ts';
import { processOperator } from '../runtime/operators/process.ts';
import { streamStreamJoin } from '../runtime/operators/stream-stream-join.ts';
import { streamTableGraceJoin } from '../runtime/operators/stream-table-grace-join.ts';
import { streamGlobalTableJoin, streamTableJoin } from '../runtime/operators/stream-table-join.ts';
import { type AnyRecord, type StreamRecord, withKeyAndValue, withValue } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import { BranchedKStream } from './branched-k-stream.ts';
import { graceBuffer } from './grace-buffer.ts';
import { type Graph, type Serdes2, sourcesOf } from './graph.ts';
import { KGroupedStream } from './k-grouped-stream.ts';
import { GlobalKTable, type KTable } from './k-table.ts';
import type { ProcessorSupplier } from './processor.ts';
import {
  bufferCount,
  distinctUntilChanged,
  pairwise,
  type RememberOptions,
  type ScanOptions,
  type StreamPlace,
  scan,
} from './remembering.ts';
import { throughTopic } from './repartition.ts';
import type { HistoryOptions } from './stores.ts';
import { type StreamJoinStoreOptions, streamJoinStores } from './stream-join-stores.ts';
import type { TopicLike } from './streams-builder.ts';
import { tableOf } from './table-source.ts';
import { windowedPartitioner } from './windowed-serdes.ts';
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

export interface MapAsyncOptions<K, V> extends RepartitionOptions<K, V> {
  readonly as: string;
  /** Calls under way, and answers that wait for an earlier one, per partition. Beyond it records wait in the task's buffer, then at the broker. */
  readonly maxInFlight: number;
  /** By wall clock, per call; then it counts as rejected. Default 30 s; Infinity waits for ever. */
  readonly timeoutMs?: number;
}

export interface ToTableOptions<K, V> extends RepartitionOptions<K, V>, HistoryOptions {
  /** Names the store, its changelog and, where the key has changed and nothing else is given, the repartition topic. */
  readonly store?: string;
  readonly persistent?: boolean;
}

export interface ProducedOptions<K, V> extends Named {
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V>;
  readonly partitioner?: (key: K, value: V, partitions: number) => number;
}

export interface StreamTableJoinOptions<K, V> extends RepartitionOptions<K, V> {
  /**
   * Only with a versioned table: a record waits until its stream has come so many ms further, for rows that come late. At most as long as
   * the table's history. `as` then names the store of what waits too (`<as>-buffer`), and is needed.
   */
  readonly graceMs?: number;
}

export interface StreamJoinOptions<K, V1, V2> extends Named, StreamJoinStoreOptions {
  /** Names the join, its stores and, where a key has changed, its repartition topics. Needed. */
  readonly as?: string;
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V1>;
  readonly otherValueSerde?: Serde<V2>;
}

/** One RxJS operator of a piped segment. */
type Piped<A, B> = OperatorFunction<A, B>;

export type ValueJoiner<K, V1, V2, R> = (left: V1, right: V2, key: K) => R;

const need = <T>(serde: Serde<T> | null | undefined, what: string, node: string): Serde<T> => {
  if (serde === null || serde === undefined) {
    throw new MissingSerdeError(
      `${node} needs ${what.startsWith('o') ? 'an' : 'a'} ${what}, and none is known there; nothing was built. Give one in its options.`,
    );
  }
  return serde;
};

interface Together<K, V> {
  readonly stream: KStream<K, V>;
  readonly key: Serde<K> | null;
  readonly value: Serde<V> | null;
  readonly partitions: number | null;
}

/** A stream of records. Every method adds a node; nothing runs until a task or a test driver runs the built topology. */
export class KStream<K, V> {
  readonly #graph: Graph;
  readonly #node: TopologyNode;
  readonly #serdes: Serdes2<K, V>;
  /** The key may have changed since the records were partitioned: what needs equal keys together must repartition first. */
  readonly #keyChanged: boolean;
  /** What joins and tables have already sent to the partitions of its keys: the next one reads the same topic. */
  readonly #together: Together<K, V>[] = [];

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

  merge(other: KStream<K, V>, named: Named = {}): KStream<K, V> {
    const name = this.#graph.name('KSTREAM-MERGE-', named.as);
    const node = this.#graph.processor(name, [this.#node, other.#node], (task) => passOn(task, name));
    const serdes = { key: this.#serdes.key ?? other.#serdes.key, value: this.#serdes.value ?? other.#serdes.value };
    return new KStream<K, V>(this.#graph, node, serdes, this.#keyChanged || other.#keyChanged);
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
  pipe<K2, V2>(op: Piped<StreamRecord<K, V>, StreamRecord<K2, V2>>, named?: Named): KStream<K2, V2>;
  pipe<A, K2, V2>(
    op1: Piped<StreamRecord<K, V>, A>,
    op2: Piped<A, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  pipe<A, B, K2, V2>(
    op1: Piped<StreamRecord<K, V>, A>,
    op2: Piped<A, B>,
    op3: Piped<B, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  pipe<A, B, C, K2, V2>(
    op1: Piped<StreamRecord<K, V>, A>,
    op2: Piped<A, B>,
    op3: Piped<B, C>,
    op4: Piped<C, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  pipe<A, B, C, D, K2, V2>(
    op1: Piped<StreamRecord<K, V>, A>,
    op2: Piped<A, B>,
    op3: Piped<B, C>,
    op4: Piped<C, D>,
    op5: Piped<D, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  pipe<A, B, C, D, E, K2, V2>(
    op1: Piped<StreamRecord<K, V>, A>,
    op2: Piped<A, B>,
    op3: Piped<B, C>,
    op4: Piped<C, D>,
    op5: Piped<D, E>,
    op6: Piped<E, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  pipe<A, B, C, D, E, F, K2, V2>(
    op1: Piped<StreamRecord<K, V>, A>,
    op2: Piped<A, B>,
    op3: Piped<B, C>,
    op4: Piped<C, D>,
    op5: Piped<D, E>,
    op6: Piped<E, F>,
    op7: Piped<F, StreamRecord<K2, V2>>,
    named?: Named,
  ): KStream<K2, V2>;
  // biome-ignore lint/suspicious/noExplicitAny: the overloads above are the types
  pipe(...given: any[]): KStream<any, any> {
    const last = given.at(-1);
    const named: Named = typeof last === 'function' || last === undefined ? {} : last;
    const operators = given.filter((one) => typeof one === 'function') as OperatorFunction<AnyRecord, AnyRecord>[]; // likewise
    const segment = pipe(...(operators as [])) as OperatorFunction<AnyRecord, AnyRecord>; // RxJS types ten operators, not a list
    const name = this.#graph.name('KSTREAM-PIPE-', named.as);
    const node = this.#graph.processor(name, [this.#node], (task) => pipeOperator(task, name, segment));
    return new KStream(this.#graph, node, { key: null, value: null }, true);
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
    const { as, maxInFlight, timeoutMs = 30_000, partitions = null } = options;
    const cure = `mapAsync behind ${this.#node.name}: its topic and its calls go by its name. Give it one (as).`;
    const name = this.#graph.durableName('KSTREAM-MAPASYNC-', as, cure);
    if (!(Number.isInteger(maxInFlight) && maxInFlight >= 1))
      throw new InvalidArgumentError(
        `${name}: maxInFlight is ${maxInFlight}; nothing was built. Give 1 or more calls.`,
      );
    if (!(timeoutMs > 0))
      throw new InvalidArgumentError(`${name}: timeoutMs is ${timeoutMs}; nothing was built. Give it some time.`);
    const key = options.keySerde ?? this.#serdes.key;
    const value = options.valueSerde ?? this.#serdes.value;
    const source =
      this.#node.kind === 'source'
        ? this.#node
        : throughTopic(this.#graph, this.#node, {
            name,
            keySerde: need(key, 'keySerde', `${name}-repartition`),
            valueSerde: need(value, 'valueSerde', `${name}-repartition`),
            partitions,
            dropNullKeys: false,
          });
    const step = { call: mapper, maxInFlight, timeoutMs };
    const node = this.#graph.asyncProcessor(name, source, (task) => mapAsyncOperator(task, name), step);
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
    const key = options.keySerde ?? this.#serdes.key;
    const value = options.valueSerde ?? this.#serdes.value;
    const generated = this.#graph.name('KSTREAM-REPARTITION-', options.as);
    return this.#throughTopic(options.as, generated, key, value, options.partitions ?? null, true);
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
    const key = options.keySerde ?? this.#serdes.key;
    const value = options.valueSerde ?? this.#serdes.value;
    const name = this.#graph.name('KSTREAM-TOTABLE-', options.as);
    const store = options.store ?? this.#graph.name('KSTREAM-TOTABLE-STATE-STORE-');
    const stream = this.#keyChanged
      ? this.#keysTogether(options.as ?? options.store, name, key, value, options.partitions ?? null)
      : this;
    return tableOf(this.#graph, stream.#node, name, { key, value }, options, store);
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
    if (other instanceof KStream) return this.#joinStream('inner', other, second, third, fourth ?? {});
    if (other instanceof GlobalKTable) return this.#joinGlobal(other, second, third, fourth ?? {}, false);
    return this.#joinTable(other, second, third ?? {}, false);
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
    if (other instanceof KStream) return this.#joinStream('left', other, second, third, fourth ?? {});
    if (other instanceof GlobalKTable) return this.#joinGlobal(other, second, third, fourth ?? {}, true);
    return this.#joinTable(other, second, third ?? {}, true);
  }

  /** As `leftJoin`, for records of both streams. */
  outerJoin<V2, R>(
    other: KStream<K, V2>,
    joiner: ValueJoiner<K, V | null, V2 | null, R>,
    windows: JoinWindows,
    options: StreamJoinOptions<K, V, V2> = {},
  ): KStream<K, R> {
    return this.#joinStream('outer', other, joiner as ValueJoiner<K, V, V2, R>, windows, options); // nulls are its business
  }

  #joinStream<V2, R>(
    type: 'inner' | 'left' | 'outer',
    other: KStream<K, V2>,
    joiner: ValueJoiner<K, V, V2, R>,
    windows: JoinWindows,
    options: StreamJoinOptions<K, V, V2>,
  ): KStream<K, R> {
    const graph = this.#graph;
    const cure = `The join of ${this.#node.name} and ${other.#node.name} keeps both streams in stores: give it a name (as).`;
    const as = graph.durableName('KSTREAM-JOIN-', options.as, cure);
    const key = need(options.keySerde ?? this.#serdes.key ?? other.#serdes.key, 'keySerde', as);
    const value = need(options.valueSerde ?? this.#serdes.value, 'valueSerde', as);
    const otherValue = need(options.otherValueSerde ?? other.#serdes.value, 'otherValueSerde', as);
    const left = this.#keyChanged ? this.#keysTogether(`${as}-left`, as, key, value, null) : this;
    const right = other.#keyChanged ? other.#keysTogether(`${as}-right`, as, key, otherValue, null) : other;
    const erased = (serde: Serde<K> | Serde<V> | Serde<V2>) => serde as Serde<unknown>; // inside the graph types are erased
    const sides = {
      ...{ as, type, windows, keySerde: erased(key) },
      left: { node: left.#node, valueSerde: erased(value) },
      right: { node: right.#node, valueSerde: erased(otherValue) },
    };
    const { all: used, ...stores } = streamJoinStores(graph, sides, options);
    const join = streamStreamJoin({ ...stores, type, windows, joiner, semantics: graph.semantics });
    const thisName = graph.name('KSTREAM-JOINTHIS-', `${as}-this-join`);
    const otherName = graph.name('KSTREAM-JOINOTHER-', `${as}-other-join`);
    const thisNode = graph.processor(thisName, [left.#node], (task) => join(task, thisName, true), used);
    const otherNode = graph.processor(otherName, [right.#node], (task) => join(task, otherName, false), used);
    const name = graph.name('KSTREAM-MERGE-', `${as}-merge`);
    const node = graph.processor(name, [thisNode, otherNode], (task) => passOn(task, name));
    graph.coPartition({ node: as, sources: [...sourcesOf(left.#node), ...sourcesOf(right.#node)] });
    return new KStream<K, R>(graph, node, { key, value: null }, false);
  }

  #joinTable<V2, R>(
    table: KTable<K, V2>,
    joiner: ValueJoiner<K, V, V2 | null, R>,
    options: StreamTableJoinOptions<K, V>,
    left: boolean,
  ): KStream<K, R> {
    const key = options.keySerde ?? this.#serdes.key ?? table.serdes.key;
    const value = options.valueSerde ?? this.#serdes.value;
    const name = this.#graph.name(left ? 'KSTREAM-LEFTJOIN-' : 'KSTREAM-JOIN-', options.as);
    const stream = this.#keyChanged
      ? this.#keysTogether(options.as, name, key, value, options.partitions ?? null)
      : this;
    const view = table.behaviour.view();
    const { graceMs } = options;
    const store = graceBuffer(this.#graph, name, table.behaviour.versionedMs, { key, value }, options);
    const node = this.#graph.processor(
      name,
      [stream.#node],
      (task) =>
        store === null || graceMs === undefined
          ? streamTableJoin(task, name, view.getter(task), joiner, left)
          : streamTableGraceJoin(task, name, view.getter(task), { store, graceMs, joiner, left }),
      store === null ? view.stores : [...view.stores, store],
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

  /** For joins and tables of a stream whose key has changed. Used twice, it is one topic, under the name that was given first. */
  #keysTogether(
    as: string | undefined,
    generated: string,
    key: Serde<K> | null,
    value: Serde<V> | null,
    partitions: number | null,
  ): KStream<K, V> {
    const there = this.#together.find(
      (one) => one.key === key && one.value === value && (partitions === null || one.partitions === partitions),
    );
    if (there !== undefined) return there.stream;
    const stream = this.#throughTopic(as, generated, key, value, partitions, false);
    this.#together.push({ stream, key, value, partitions });
    return stream;
  }

  get #place(): StreamPlace<K, V> {
    return { graph: this.#graph, node: this.#node, serdes: this.#serdes, keyChanged: this.#keyChanged };
  }

  /** @param generated the topic's name where the author gave none and generated names are allowed */
  #throughTopic(
    as: string | undefined,
    generated: string,
    key: Serde<K> | null,
    value: Serde<V> | null,
    partitions: number | null,
    dropNullKeys: boolean,
  ): KStream<K, V> {
    this.#graph.demandName(
      as,
      `${this.#node.name} gives records that are sent through a repartition topic, and it has no name. Give one (as).`,
    );
    const name = as ?? generated;
    const node = throughTopic(this.#graph, this.#node, {
      name,
      keySerde: need(key, 'keySerde', `${name}-repartition`),
      valueSerde: need(value, 'valueSerde', `${name}-repartition`),
      partitions,
      dropNullKeys,
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
