import {
  GlobalKTable,
  JoinWindows,
  KGroupedStream,
  KGroupedTable,
  KStream,
  KTable,
  Serdes,
  Stores,
  type StreamJoinOptions,
  StreamsBuilder,
  type Topology,
} from '../index.ts';
import type { TimestampExtractor } from '../plan/node.ts';
import { type CaseStep, UnsupportedError, type Value } from './case.ts';
import * as functions from './functions.ts';
import { processorOf } from './processors.ts';

// biome-ignore lint/suspicious/noExplicitAny: the functions of the cases take null for a value, which the types of joins do not give them
type Loose = any;
type Stream = KStream<string, Loose>;
type Table = KTable<string, Loose>;
type Global = GlobalKTable<string, Loose>;
type Built = Stream | Table | Global | KGroupedStream<string, Value> | KGroupedTable<string, Value>;

/** One key format and one value format for every topic and store; `5` and `"5"` are different values. */
export const serdes = { keySerde: Serdes.string, valueSerde: Serdes.json<Value>() };

const looseSerdes = { ...serdes, valueSerde: Serdes.json<Loose>(), otherValueSerde: Serdes.json<Loose>() };

export const topicOf = (name: string) => ({ name, ...serdes });

export interface BuiltCase {
  readonly topology: Topology;
  /** Stores whose rows bear no time. */
  readonly plainStores: ReadonlySet<string>;
}

/** @throws UnsupportedError – a step needs what the library does not have */
export function buildCase(steps: readonly CaseStep[]): BuiltCase {
  // As the original behaves, also where the library is better on purpose.
  const builder = new StreamsBuilder({ semantics: 'kafka-streams' });
  const nodes = new Map<string, Built>();
  const plainStores = new Set<string>();
  for (const step of steps) new StepBuilder(builder, nodes, plainStores, step).build();
  return { topology: builder.build(), plainStores };
}

const unsupported = ['windowedBy', 'cogroup', 'suppress', 'foreignKeyJoin', 'foreignKeyLeftJoin'];

class StepBuilder {
  readonly #builder: StreamsBuilder;
  readonly #nodes: Map<string, Built>;
  readonly #plainStores: Set<string>;
  readonly #step: CaseStep;

  constructor(builder: StreamsBuilder, nodes: Map<string, Built>, plainStores: Set<string>, step: CaseStep) {
    this.#builder = builder;
    this.#nodes = nodes;
    this.#plainStores = plainStores;
    this.#step = step;
    if (unsupported.includes(step.op)) throw new UnsupportedError(step.op);
    if (step.versioned !== undefined) throw new UnsupportedError('versioned stores');
  }

  build(): void {
    const built = this.#built();
    if (built !== null) this.#nodes.set(this.#step.name, built);
  }

  #built(): Built | null {
    switch (this.#step.op) {
      case 'stream':
      case 'table':
      case 'globalTable':
        return this.#source();
      case 'filter':
      case 'filterNot':
        return this.#filter(this.#step.op);
      case 'mapValues':
        return this.#mapValues();
      case 'groupBy':
        return this.#groupBy();
      case 'count':
      case 'reduce':
      case 'aggregate':
        return this.#aggregate(this.#step.op);
      case 'join':
      case 'leftJoin':
      case 'outerJoin':
        return this.#join(this.#step.op);
      case 'transformValues': {
        const transform = functions.transformer(this.#text('transformer'));
        return this.#table('from').transformValues(transform, this.#stored());
      }
      case 'toStream': {
        const stream = this.#table('from').toStream();
        return this.#has('key') ? stream.selectKey(this.#key()) : stream;
      }
      default:
        return this.#ofStream(this.#stream('from'));
    }
  }

  #ofStream(from: Stream): Built | null {
    const { name, op } = this.#step;
    switch (op) {
      case 'map': {
        const [key, value] = [this.#key(), this.#value()];
        return from.map((k, v) => [key(k, v), value(k, v)] as const);
      }
      case 'flatMap': {
        const flat = functions.flatMapper(this.#text('flat'));
        return from.flatMap((k, v) => flat(k, v) as Iterable<readonly [string, Value]>); // null keys are the case's business
      }
      case 'flatMapValues': {
        const flat = functions.flatMapper(this.#text('flat'));
        return from.flatMapValues((v, k) => flat(k, v).map(([, value]) => value));
      }
      case 'selectKey':
        return from.selectKey(this.#key());
      case 'merge':
        return from.merge(this.#stream('with'));
      case 'split':
        return this.#split(from);
      case 'repartition':
        return from.repartition({ as: name, ...serdes });
      case 'toTable':
        return from.toTable({ ...serdes, ...this.#stored() });
      case 'process':
        return from.process<string, Value>(processorOf(this.#step), { stores: this.#processorStores() });
      case 'processValues':
        return from.processValues<Value>(processorOf(this.#step), { stores: this.#processorStores() });
      case 'groupByKey':
        return from.groupByKey(serdes);
      case 'to':
        from.to(topicOf(this.#text('topic')));
        return null;
      default:
        throw new UnsupportedError(op);
    }
  }

  #source(): Built {
    const { op } = this.#step;
    const timestampExtractor: { timestampExtractor?: TimestampExtractor } = this.#has('timestampExtractor')
      ? { timestampExtractor: functions.timeFromValue }
      : {};
    if (op === 'globalTable') {
      return this.#builder.globalTable(topicOf(this.#text('topic')), {
        store: this.#optional('store') ?? this.#step.name,
      });
    }
    if (op === 'table') {
      return this.#builder.table(topicOf(this.#text('topic')), { ...timestampExtractor, ...this.#stored() });
    }
    const topics = (this.#step.topics ?? [this.#text('topic')]) as readonly string[]; // cases are recorded in this form
    const [first, ...others] = topics.map((topic) => this.#builder.stream(topicOf(topic), timestampExtractor));
    if (first === undefined) throw new Error(`${this.#step.name} names no topic`);
    return others.reduce((merged, other) => merged.merge(other), first);
  }

  #filter(op: 'filter' | 'filterNot'): Built {
    const test = functions.predicate(this.#text('predicate'));
    const from = this.#node('from');
    if (from instanceof KTable) return from[op](test, this.#stored());
    return this.#stream('from')[op]((key, value) => test(key, value));
  }

  #mapValues(): Built {
    const map = this.#value();
    const from = this.#node('from');
    if (from instanceof KTable) return from.mapValues((value, key) => map(key, value), this.#stored());
    return this.#stream('from').mapValues((value, key) => map(key, value));
  }

  #split(from: Stream): null {
    const branches = this.#step.branches as readonly { name: string; predicate: string }[]; // cases are recorded in this form
    const split = from.split({ as: this.#step.name });
    for (const { name, predicate } of branches) split.branch(name, functions.predicate(predicate));
    const rest = this.#optional('default');
    const all = rest === undefined ? split.noDefaultBranch() : split.defaultBranch(rest);
    for (const [name, stream] of Object.entries<Stream>(all)) this.#nodes.set(name, stream);
    return null;
  }

  #groupBy(): Built {
    const from = this.#node('from');
    const key = this.#key();
    if (!(from instanceof KTable)) return this.#stream('from').groupBy(key, serdes);
    const value = this.#value();
    return from.groupBy((k, v: Value) => [key(k, v), value(k, v)] as const, serdes);
  }

  #aggregate(op: 'count' | 'reduce' | 'aggregate'): Table {
    const from = this.#node('from');
    const options = { store: this.#optional('store') ?? this.#step.name };
    const fold = { ...options, valueSerde: serdes.valueSerde };
    const add = (name: string) => functions.aggregator(this.#text(name));
    if (from instanceof KGroupedTable) {
      if (op === 'count') return from.count(options).mapValues<Value>(Number);
      const [adder, subtractor] = [add('adder'), add('subtractor')];
      if (op === 'aggregate')
        return from.aggregate(functions.initializer(this.#text('initializer')), adder, subtractor, fold);
      return from.reduce(
        (a, v) => adder(null, v, a),
        (a, v) => subtractor(null, v, a),
        fold,
      );
    }
    if (!(from instanceof KGroupedStream)) throw new UnsupportedError(`${op} of this`);
    if (op === 'count') return from.count(options).mapValues<Value>(Number);
    if (op === 'aggregate') {
      return from.aggregate(functions.initializer(this.#text('initializer')), add('aggregator'), fold);
    }
    const reducer = add('reducer');
    return from.reduce((a, v) => reducer(null, v, a), fold);
  }

  #join(op: 'join' | 'leftJoin' | 'outerJoin'): Built {
    if (this.#has('grace')) throw new UnsupportedError('grace in a stream-table join');
    const join = functions.joiner(this.#text('joiner'));
    const left = this.#node('left');
    const right = this.#node('right');
    if (left instanceof KTable) {
      const other = this.#table('right');
      const options = this.#stored();
      if (op === 'join') return left.join(other, join, options);
      return op === 'leftJoin' ? left.leftJoin(other, join, options) : left.outerJoin(other, join, options);
    }
    const stream = this.#stream('left');
    if (right instanceof KStream) {
      const options: StreamJoinOptions<string, Loose, Loose> = { as: this.#step.name, ...looseSerdes };
      const windows = this.#windows();
      if (op === 'join') return stream.join(right, join, windows, options);
      if (op === 'leftJoin') return stream.leftJoin(right, join, windows, options);
      return stream.outerJoin(right, join, windows, options);
    }
    if (op === 'outerJoin') throw new UnsupportedError('an outer join of a stream and a table');
    const keepsLeft = op === 'leftJoin';
    if (right instanceof GlobalKTable) {
      return keepsLeft ? stream.leftJoin(right, this.#key(), join) : stream.join(right, this.#key(), join);
    }
    const table = this.#table('right');
    return keepsLeft ? stream.leftJoin(table, join, serdes) : stream.join(table, join, serdes);
  }

  #windows(): JoinWindows {
    const window = this.#step.window as Readonly<Record<string, number>>; // cases are recorded in this form
    const { timeDifference, before = timeDifference, after = timeDifference, grace = 0 } = window;
    return JoinWindows.of(before ?? 0, after ?? 0, grace);
  }

  #processorStores(): string[] {
    const own = this.#optional('store');
    const other = this.#optional('connect');
    if (own !== undefined && !this.#plainStores.has(own)) {
      this.#builder.addStateStore(Stores.keyValue({ name: own, ...serdes }));
      this.#plainStores.add(own);
    }
    return [own, other].filter((store) => store !== undefined);
  }

  // ---- members of the step

  #has(member: string): boolean {
    return this.#step[member] !== undefined;
  }

  #optional(member: string): string | undefined {
    return this.#has(member) ? this.#text(member) : undefined;
  }

  #text(member: string): string {
    const text = this.#step[member];
    if (typeof text !== 'string') throw new UnsupportedError(`${this.#step.op} without ${member}`);
    return text;
  }

  #stored() {
    const store = this.#optional('store');
    return store === undefined ? {} : { store, valueSerde: serdes.valueSerde };
  }

  #key(): (key: string, value: Value) => string {
    return functions.keySelector(this.#text('key')) as (key: string, value: Value) => string; // null keys are the case's business
  }

  #value() {
    return functions.valueMapper(this.#text('value'));
  }

  #node(member: string): Built {
    const name = this.#text(member);
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`${this.#step.name} reads ${name}, which is not above it`);
    return node;
  }

  #stream(member: string): Stream {
    const node = this.#node(member);
    if (!(node instanceof KStream)) throw new UnsupportedError(`${this.#step.op} of this`);
    return node;
  }

  #table(member: string): Table {
    const node = this.#node(member);
    if (!(node instanceof KTable)) throw new UnsupportedError(`${this.#step.op} of this`);
    return node;
  }
}
