import { MissingSerdeError } from '../errors.ts';
import type { GlobalTable, SourceNode, StoreBuilder, TimestampExtractor } from '../plan/node.ts';
import type { Topology } from '../plan/topology.ts';
import type { Serde } from '../serde.ts';
import { untimedSerde } from '../state/key-value-store.ts';
import { Graph, type GraphOptions } from './graph.ts';
import { KStream } from './k-stream.ts';
import { GlobalKTable, type KTable } from './k-table.ts';
import { type HistoryOptions, Stores } from './stores.ts';
import { tableOf } from './table-source.ts';

/** A topic with its serdes; anything of this shape will do. */
export interface TopicLike<K, V> {
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
}

export interface ConsumedOptions<K, V> {
  /** Name of the source node. */
  readonly as?: string;
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V>;
  readonly timestampExtractor?: TimestampExtractor;
  /** Where to begin without a committed offset. Default `earliest`. */
  readonly offsetReset?: 'earliest' | 'latest';
  /** `dead-letter`: a record without a key is refused at the door instead of being dropped by the first operator that needs one. */
  readonly nullKeys?: 'keep' | 'dead-letter';
}

export interface StreamOptions<K, V> extends ConsumedOptions<K, V> {
  /** `dead-letter`: a record without a value is refused at the door, for streams whose readers take a value for granted. */
  readonly nullValues?: 'keep' | 'dead-letter';
}

export interface TableOptions<K, V> extends ConsumedOptions<K, V>, HistoryOptions {
  /** Names the store and its changelog. Without it the table keeps no rows and passes updates on; a join or `groupBy` needs rows. */
  readonly store?: string;
  readonly persistent?: boolean;
}

export interface GlobalTableOptions<K, V> extends ConsumedOptions<K, V> {
  readonly store: string;
  readonly persistent?: boolean;
}

type TopicArgument<K, V> = TopicLike<K, V> | string;

const erased = <T>(serde: Serde<T>): Serde<unknown> => serde as Serde<unknown>; // inside the graph types are erased

function serdesOf<K, V>(topic: TopicArgument<K, V>, options: ConsumedOptions<K, V>): TopicLike<K, V> {
  const given = typeof topic === 'string' ? undefined : topic;
  const name = given?.name ?? (topic as string); // a topic that is no object is its name
  const keySerde = options.keySerde ?? given?.keySerde;
  const valueSerde = options.valueSerde ?? given?.valueSerde;
  if (keySerde === undefined || valueSerde === undefined) {
    const what = keySerde === undefined ? 'keySerde' : 'valueSerde';
    throw new MissingSerdeError(`the source of ${name} has no ${what}; nothing was built. Give one in its options.`);
  }
  return { name, keySerde, valueSerde };
}

type SourceSpec = Omit<SourceNode, 'kind' | 'parents'>;

/** Two readers of a topic that want the same records. Otherwise the build refuses the second source. */
const sameSource = (a: SourceSpec, b: SourceSpec): boolean =>
  a.keySerde === b.keySerde &&
  a.valueSerde === b.valueSerde &&
  a.timestampExtractor === b.timestampExtractor &&
  a.offsetReset === b.offsetReset &&
  a.nullKeys === b.nullKeys &&
  a.nullValues === b.nullValues;

/** Where a topology begins: sources, tables, stores; `build` checks it and gives the graph. */
export class StreamsBuilder {
  readonly #graph: Graph;
  readonly #streams = new Map<string, SourceNode>();

  constructor(options: GraphOptions = { semantics: 'strict' }) {
    this.#graph = new Graph(options);
  }

  /** Every record of a topic. Read twice, it is one source. */
  stream<K, V>(topic: TopicArgument<K, V>, options: StreamOptions<K, V> = {}): KStream<K, V> {
    const { name, keySerde, valueSerde } = serdesOf(topic, options);
    const source = this.#source(this.#graph.name('KSTREAM-SOURCE-', options.as), name, keySerde, valueSerde, options);
    const there = this.#streams.get(name);
    const node = there !== undefined && sameSource(there, source) ? there : this.#graph.source(source);
    this.#streams.set(name, node);
    return new KStream<K, V>(this.#graph, node, { key: keySerde, value: valueSerde }, false);
  }

  /** The latest value of each key of a topic; null values delete. */
  table<K, V>(topic: TopicArgument<K, V>, options: TableOptions<K, V> = {}): KTable<K, V> {
    const { name, keySerde, valueSerde } = serdesOf(topic, options);
    const store = options.store ?? this.#graph.name(`${name}-STATE-STORE-`);
    const sourceName = this.#graph.name('KSTREAM-SOURCE-', options.as && `${options.as}-source`);
    const source = this.#graph.source(this.#source(sourceName, name, keySerde, valueSerde, options));
    const node = this.#graph.name('KTABLE-SOURCE-', options.as);
    return tableOf(this.#graph, source, node, { key: keySerde, value: valueSerde }, options, store);
  }

  /** The latest value of every key of every partition, on every instance. Without an order between it and the streams that look it up. */
  globalTable<K, V>(topic: TopicArgument<K, V>, options: GlobalTableOptions<K, V>): GlobalKTable<K, V> {
    const { name, keySerde, valueSerde } = serdesOf(topic, options);
    const store = Stores.keyValue<K, V>({
      name: options.store,
      keySerde,
      valueSerde: untimedSerde(valueSerde),
      persistent: options.persistent ?? true,
      logged: false,
    });
    const table: GlobalTable = {
      sourceName: this.#graph.name('KSTREAM-SOURCE-', options.as === undefined ? undefined : `${options.as}-source`),
      processorName: this.#graph.name('KTABLE-SOURCE-', options.as),
      topic: name,
      keySerde: erased(keySerde),
      valueSerde: erased(valueSerde),
      store,
    };
    this.#graph.addGlobalTable(table);
    return new GlobalKTable<K, V>(options.store);
  }

  /** A store for processors, which name it in `stores`. */
  addStateStore(store: StoreBuilder): this {
    this.#graph.addStore(store);
    return this;
  }

  #source<K, V>(
    name: string,
    topic: string,
    keySerde: Serde<K>,
    valueSerde: Serde<V>,
    options: StreamOptions<K, V>,
  ): SourceSpec {
    return {
      name,
      topic,
      internal: null,
      keySerde: erased(keySerde),
      valueSerde: erased(valueSerde),
      timestampExtractor: options.timestampExtractor ?? null,
      offsetReset: options.offsetReset ?? 'earliest',
      nullKeys: options.nullKeys ?? 'keep',
      nullValues: options.nullValues ?? 'keep',
    };
  }

  /** @throws TopologyError – two nodes or stores of one name, a store that is not there, a topic with two sources */
  build(): Topology {
    return this.#graph.build();
  }
}
