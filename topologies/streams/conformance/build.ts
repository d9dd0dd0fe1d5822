import {
  CogroupedKStream,
  type EmitStrategy,
  GlobalKTable,
  JoinWindows,
  KGroupedStream,
  KGroupedTable,
  KStream,
  KTable,
  type Serde,
  Serdes,
  SessionWindowedCogroupedKStream,
  SessionWindowedKStream,
  SessionWindows,
  SlidingWindows,
  Stores,
  type StreamJoinOptions,
  StreamsBuilder,
  TimeWindowedCogroupedKStream,
  TimeWindowedKStream,
  TimeWindows,
  type Topology,
  type Windowed,
} from '../index.ts';
import type { TimestampExtractor } from '../plan/node.ts';
import { type CaseStep, UnsupportedError, type Value } from './case.ts';
import * as functions from './functions.ts';
import { type AnyKey, type Brackets, bracketsOf, keySerdeOf, rendered } from './keys.ts';
import { processorOf } from './processors.ts';

// biome-ignore lint/suspicious/noExplicitAny: the functions of the cases take null for a value, which the types of joins do not give them
type Loose = any;
type Stream = KStream<AnyKey, Loose>;
type Table = KTable<AnyKey, Loose>;
type Global = GlobalKTable<AnyKey, Loose>;
type Built =
  | Stream
  | Table
  | Global
  | KGroupedStream<AnyKey, Value>
  | KGroupedTable<AnyKey, Value>
  | TimeWindowedKStream<AnyKey, Value>
  | SessionWindowedKStream<AnyKey, Value>
  | CogroupedKStream<AnyKey, Value>
  | TimeWindowedCogroupedKStream<AnyKey, Value>
  | SessionWindowedCogroupedKStream<AnyKey, Value>;

/** One key format and one value format for every topic and store; `5` and `"5"` are different values. */
export const serdes = { keySerde: keySerdeOf([]), valueSerde: Serdes.json<Value>() };

export const topicOf = (name: string) => ({ name, ...serdes });

export interface BuiltCase {
  readonly topology: Topology;
  /** Stores whose rows bear no time. */
  readonly plainStores: ReadonlySet<string>;
  readonly windowStores: ReadonlySet<string>;
  readonly versionedStores: ReadonlySet<string>;
  /** What closes the windowed keys of a store. */
  readonly brackets: ReadonlyMap<string, Brackets>;
}

/** @throws UnsupportedError – a step needs what the library does not have */
export function buildCase(steps: readonly CaseStep[]): BuiltCase {
  // As the original behaves, also where the library is better on purpose.
  const builder = new StreamsBuilder({ semantics: 'kafka-streams' });
  const nodes = new Map<string, Built>();
  const plainStores = new Set<string>();
  const windowStores = new Set<string>();
  const allBrackets = new Map<string, Brackets>();
  const known = new Map<string, CaseStep>();
  for (const step of steps) {
    known.set(step.name, step);
    const brackets = bracketsOf(step, known);
    allBrackets.set(typeof step.store === 'string' ? step.store : step.name, brackets);
    new StepBuilder(builder, nodes, { plainStores, windowStores }, step, brackets).build();
  }
  const versionedStores = new Set(steps.flatMap((step) => (step.versioned === undefined ? [] : [String(step.store)])));
  return { topology: builder.build(), plainStores, windowStores, versionedStores, brackets: allBrackets };
}

const unsupported: readonly string[] = [];

class StepBuilder {
  readonly #builder: StreamsBuilder;
  readonly #nodes: Map<string, Built>;
  readonly #plainStores: Set<string>;
  readonly #windowStores: Set<string>;
  readonly #step: CaseStep;
  readonly #brackets: Brackets;
  /** Serdes of this step's topics and stores. */
  readonly #serdes: { readonly keySerde: Serde<AnyKey>; readonly valueSerde: Serde<Loose> };

  constructor(
    builder: StreamsBuilder,
    nodes: Map<string, Built>,
    stores: { readonly plainStores: Set<string>; readonly windowStores: Set<string> },
    step: CaseStep,
    brackets: Brackets,
  ) {
    this.#builder = builder;
    this.#nodes = nodes;
    this.#plainStores = stores.plainStores;
    this.#windowStores = stores.windowStores;
    this.#step = step;
    this.#brackets = brackets;
    this.#serdes = { ...serdes, keySerde: keySerdeOf(brackets) };
    if (unsupported.includes(step.op)) throw new UnsupportedError(step.op);
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
      case 'foreignKeyJoin':
      case 'foreignKeyLeftJoin':
        return this.#foreignKeyJoin(this.#step.op);
      case 'transformValues': {
        const transform = this.#keyed(functions.transformer(this.#text('transformer')));
        return this.#table('from').transformValues(transform, this.#stored());
      }
      case 'cogroup':
        return this.#cogroup();
      case 'windowedBy':
        return this.#windowedBy();
      case 'suppress':
        return this.#suppress();
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
        const flat = this.#keyed(functions.flatMapper(this.#text('flat')));
        return from.flatMap((k, v) => flat(k, v) as Iterable<readonly [AnyKey, Value]>); // null keys are the case's business
      }
      case 'flatMapValues': {
        const flat = this.#keyed(functions.flatMapper(this.#text('flat')));
        return from.flatMapValues((v, k) => flat(k, v).map(([, value]) => value));
      }
      case 'selectKey':
        return from.selectKey(this.#key());
      case 'merge':
        return from.merge(this.#stream('with'));
      case 'split':
        return this.#split(from);
      case 'repartition':
        return from.repartition({ as: name, ...this.#serdes });
      case 'toTable':
        return from.toTable({ ...this.#serdes, ...this.#stored() });
      case 'process':
        return from.process<AnyKey, Value>(
          processorOf(this.#step, (key) => this.#plain(key)),
          { stores: this.#processorStores() },
        );
      case 'processValues':
        return from.processValues<Value>(
          processorOf(this.#step, (key) => this.#plain(key)),
          { stores: this.#processorStores() },
        );
      case 'groupByKey':
        return from.groupByKey(this.#serdes);
      case 'to':
        from.to({ name: this.#text('topic'), ...this.#serdes });
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

  #suppress(): Table {
    const from = this.#table('from') as KTable<Loose, Loose>; // whether its keys have windows is the case's business
    const { maxRecords } = this.#step;
    const options = { ...this.#serdes, ...(maxRecords === undefined ? {} : { maxRecords: Number(maxRecords) }) };
    if (this.#step.until === 'windowClose')
      return from.suppress({ until: 'windowClose', ...options }) as KTable<Loose, Loose>;
    const onFull = this.#step.onFull === 'shutDown' ? 'shutDown' : 'emitEarly';
    return from.suppress({ until: 'timeLimit', limitMs: Number(this.#step.ms), onFull, ...options });
  }

  #filter(op: 'filter' | 'filterNot'): Built {
    const test = this.#keyed(functions.predicate(this.#text('predicate')));
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
    for (const { name, predicate } of branches) split.branch(name, this.#keyed(functions.predicate(predicate)));
    const rest = this.#optional('default');
    const all = rest === undefined ? split.noDefaultBranch() : split.defaultBranch(rest);
    for (const [name, stream] of Object.entries<Stream>(all)) this.#nodes.set(name, stream);
    return null;
  }

  #groupBy(): Built {
    const from = this.#node('from');
    const key = this.#key();
    if (!(from instanceof KTable)) return this.#stream('from').groupBy(key, this.#serdes);
    const value = this.#value();
    return from.groupBy((k, v: Value) => [key(k, v), value(k, v)] as const, this.#serdes);
  }

  #aggregate(op: 'count' | 'reduce' | 'aggregate'): Table {
    const from = this.#node('from');
    const options = { store: this.#optional('store') ?? this.#step.name, ...this.#versioned() };
    const fold = { ...options, valueSerde: this.#serdes.valueSerde };
    const add = (name: string) => this.#keyed(functions.aggregator(this.#text(name)));
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
    if (from instanceof CogroupedKStream) return from.aggregate(this.#initializer(), fold);
    if (from instanceof KGroupedStream) {
      if (op === 'count') return from.count(options).mapValues<Value>(Number);
      if (op === 'aggregate') return from.aggregate(this.#initializer(), add('aggregator'), fold);
      return from.reduce(this.#reducer(), fold);
    }
    return this.#windowedAggregate(op) as unknown as Table; // a windowed key is one of the keys of a case
  }

  #windowedAggregate(op: 'count' | 'reduce' | 'aggregate'): KTable<Windowed<AnyKey>, Value> {
    const from = this.#node('from');
    const { store = this.#step.name, retention } = this.#step as { store?: string; retention?: number }; // cases are recorded in this form
    this.#windowStores.add(store);
    const options = { store, ...(retention === undefined ? {} : { retentionMs: retention }) };
    const fold = { ...options, valueSerde: this.#serdes.valueSerde };
    const aggregator = () => this.#keyed(functions.aggregator(this.#text('aggregator')));
    const merger = () => this.#keyed(functions.merger(this.#text('merger')));
    if (from instanceof TimeWindowedCogroupedKStream) return from.aggregate(this.#initializer(), fold);
    if (from instanceof SessionWindowedCogroupedKStream) return from.aggregate(this.#initializer(), merger(), fold);
    if (!(from instanceof TimeWindowedKStream || from instanceof SessionWindowedKStream))
      throw new UnsupportedError(`${op} of this`);
    if (op === 'count') return from.count(options).mapValues<Value>(Number);
    if (op === 'reduce') return from.reduce(this.#reducer(), fold);
    return from instanceof TimeWindowedKStream
      ? from.aggregate(this.#initializer(), aggregator(), fold)
      : from.aggregate(this.#initializer(), aggregator(), merger(), fold);
  }

  #initializer(): () => Value {
    return functions.initializer(this.#text('initializer'));
  }

  #reducer(): (aggregate: Value, value: Value) => Value {
    const reducer = functions.aggregator(this.#text('reducer'));
    return (aggregate, value) => reducer(null, value, aggregate);
  }

  #cogroup(): Built {
    const { aggregator, and = [] } = this.#step as unknown as {
      readonly aggregator: string;
      readonly and?: readonly { readonly from: string; readonly aggregator: string }[];
    }; // cases are recorded in this form
    const add = (name: string) => this.#keyed(functions.aggregator(name));
    const grouped = (name: string) => {
      const node = this.#nodes.get(name);
      if (!(node instanceof KGroupedStream)) throw new UnsupportedError('cogroup of this');
      return node;
    };
    const first = grouped(this.#text('from')).cogroup<Value>(add(aggregator));
    return and.reduce((all, other) => all.cogroup(grouped(other.from), add(other.aggregator)), first);
  }

  #windowedBy(): Built {
    const from = this.#node('from');
    if (!(from instanceof KGroupedStream || from instanceof CogroupedKStream))
      throw new UnsupportedError('windowedBy of this');
    const window = this.#step.window as Readonly<Record<string, number>> & { readonly type: string }; // cases are recorded in this form
    const { size = 0, advance = 0, timeDifference = 0, gap = 0, grace = 0 } = window;
    const emit = (this.#optional('emit') ?? 'onWindowUpdate') as EmitStrategy; // likewise
    if (emit === 'onWindowClose' && from instanceof CogroupedKStream) throw new UnsupportedError('emit of a cogroup');
    const ofTime = (windows: TimeWindows | SlidingWindows) =>
      from instanceof CogroupedKStream ? from.windowedBy(windows) : from.windowedBy(windows).emitStrategy(emit);
    switch (window.type) {
      case 'tumbling':
        return ofTime(TimeWindows.ofSizeAndGrace(size, grace));
      case 'hopping':
        return ofTime(TimeWindows.ofSizeAndGrace(size, grace).advanceBy(advance));
      case 'sliding':
        return ofTime(SlidingWindows.ofTimeDifferenceAndGrace(timeDifference, grace));
      case 'session': {
        const windows = SessionWindows.ofInactivityGapAndGrace(gap, grace);
        return from instanceof CogroupedKStream
          ? from.windowedBy(windows)
          : from.windowedBy(windows).emitStrategy(emit);
      }
      default:
        throw new UnsupportedError(`${window.type} windows`);
    }
  }

  #join(op: 'join' | 'leftJoin' | 'outerJoin'): Built {
    const joiner = functions.joiner(this.#text('joiner'));
    const join = (l: Value, r: Value, key: AnyKey) => joiner(l, r, this.#plain(key));
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
      const options: StreamJoinOptions<AnyKey, Loose, Loose> = {
        as: this.#step.name,
        ...this.#serdes,
        otherValueSerde: this.#serdes.valueSerde,
      };
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
    const options = this.#has('grace') ? { ...this.#serdes, graceMs: Number(this.#step.grace) } : this.#serdes;
    return keepsLeft ? stream.leftJoin(table, join, options) : stream.join(table, join, options);
  }

  #foreignKeyJoin(op: 'foreignKeyJoin' | 'foreignKeyLeftJoin'): Table {
    const [left, right] = [this.#table('left'), this.#table('right')];
    const foreignKey = this.#keyed(functions.keySelector(this.#text('foreignKey')));
    const foreignKeyOf = (value: Loose, key: AnyKey) => foreignKey(key, value);
    const joiner = functions.joiner(this.#text('joiner'));
    const join = (l: Value, r: Value, key: AnyKey) => joiner(l, r, this.#plain(key));
    const options = { ...this.#serdes, otherValueSerde: this.#serdes.valueSerde, ...this.#stored() };
    if (op === 'foreignKeyJoin') return left.join(right, foreignKeyOf, join, options);
    return left.leftJoin(right, foreignKeyOf, join, options);
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
      this.#builder.addStateStore(Stores.keyValue({ name: own, ...this.#serdes }));
      this.#plainStores.add(own);
    }
    return [own, other].filter((store) => store !== undefined);
  }

  // ---- keys as text

  #plain(key: AnyKey | null): string | null {
    return key === null ? null : rendered(key, this.#brackets);
  }

  #keyed<Rest extends unknown[], R>(
    of: (key: string | null, ...rest: Rest) => R,
  ): (key: AnyKey | null, ...rest: Rest) => R {
    return (key, ...rest) => of(this.#plain(key), ...rest);
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
    return store === undefined ? {} : { store, valueSerde: serdes.valueSerde, ...this.#versioned() };
  }

  #versioned() {
    return this.#has('versioned') ? { versionedMs: Number(this.#step.versioned) } : {};
  }

  #key(): (key: AnyKey, value: Value) => AnyKey {
    return this.#keyed(functions.keySelector(this.#text('key'))) as (key: AnyKey, value: Value) => AnyKey; // null keys are the case's business
  }

  #value() {
    return this.#keyed(functions.valueMapper(this.#text('value')));
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
