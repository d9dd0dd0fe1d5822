import fc from 'fast-check';
import { bufferCount, distinctUntilChanged, type OperatorFunction, pairwise, Subject, scan } from 'rxjs';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { type KStream, Serdes, StreamsBuilder, TopologyTestDriver, UnnamedOperatorError } from '../../index.ts';

type Value = number | null;
/** Null is null on the wire; the type says that it may come. */
const nullable = Serdes.json<Value>();
const numbers = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: nullable });
const sink = <T>() => ({ name: 'out', keySerde: Serdes.string, valueSerde: Serdes.json<T>() });
const results = sink<unknown>();

interface Twin {
  readonly name: string;
  readonly ours: (stream: KStream<string, Value>) => void;
  readonly theirs: OperatorFunction<Value, unknown>;
}

const sum = (total: Value, value: Value): Value => (total ?? 0) + (value ?? 100);
const near = (a: Value, b: Value): boolean => Math.abs((a ?? 0) - (b ?? 0)) < 2;
const buffers = [
  [1, 1],
  [3, 3],
  [3, 1],
  [3, 2],
  [2, 5],
] as const;
const twins: readonly Twin[] = [
  {
    name: 'scan',
    ours: (stream) => stream.scan(sum, 0, { store: 'kept', valueSerde: nullable }).to(sink()),
    theirs: scan(sum, 0),
  },
  {
    name: 'distinctUntilChanged',
    ours: (stream) => stream.distinctUntilChanged({ store: 'kept' }).to(sink()),
    theirs: distinctUntilChanged(),
  },
  {
    name: 'distinctUntilChanged(comparator)',
    ours: (stream) => stream.distinctUntilChanged(near, { store: 'kept' }).to(sink()),
    theirs: distinctUntilChanged(near),
  },
  { name: 'pairwise', ours: (stream) => stream.pairwise({ store: 'kept' }).to(sink()), theirs: pairwise() },
  {
    name: 'bufferCount(3) by default',
    ours: (stream) => stream.bufferCount(3, { store: 'kept' }).to(sink()),
    theirs: bufferCount(3),
  },
  ...buffers.map(
    ([size, every]): Twin => ({
      name: `bufferCount(${size}, ${every})`,
      ours: (stream) => stream.bufferCount(size, every, { store: 'kept' }).to(sink()),
      theirs: bufferCount(size, every),
    }),
  ),
];

type Entry = readonly [string, unknown];

/** What RxJS gives for the values of each key by themselves. They are never completed, as no stream is. */
function oracle(records: readonly (readonly [string, Value])[], operator: OperatorFunction<Value, unknown>): Entry[] {
  const out: Entry[] = [];
  const subjects = new Map<string, Subject<Value>>();
  for (const [key, value] of records) {
    let subject = subjects.get(key);
    if (subject === undefined) {
      subject = new Subject();
      subject.pipe(operator).subscribe((result) => out.push([key, result]));
      subjects.set(key, subject);
    }
    subject.next(value);
  }
  return out;
}

const byKey = (entries: readonly Entry[]): ReadonlyMap<string, readonly unknown[]> =>
  Map.groupBy(entries, ([key]) => key) as ReadonlyMap<string, readonly unknown[]>; // entries are as good as values here

const records = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.option(fc.integer({ min: 0, max: 3 }))), {
  maxLength: 20,
});
const at = fc.constantFrom(null, 'crash', 'before-commit', 'after-commit');

describe.each(twins)('$name', ({ ours, theirs }) => {
  test('gives for each key what RxJS gives, whatever is lost at whatever record', () => {
    const builder = new StreamsBuilder();
    ours(builder.stream(numbers('in')));
    const topology = builder.build();
    fc.assert(
      fc.property(records, fc.array(at, { minLength: 20, maxLength: 20 }), (given, crashes) => {
        using driver = new TopologyTestDriver(topology);
        for (const [index, [key, value]] of given.entries()) {
          driver.inputTopic(numbers('in')).send(key, value);
          const crash = crashes[index] ?? null;
          if (crash === 'crash') driver.crash();
          else if (crash !== null) driver.crash(crash);
          driver.run();
        }
        expect(driver.outputTopic(results).readKeyValues()).toEqual(oracle(given, theirs));
      }),
      { numRuns: 60 },
    );
  });

  test('goes by the new key where it has changed, over its partitions', () => {
    const builder = new StreamsBuilder();
    const source = builder.stream({ name: 'in', keySerde: Serdes.string, valueSerde: nullable });
    ours(source.selectKey((key) => key.slice(0, 1)).repartition({ as: 'by-letter', keySerde: Serdes.string }));
    using driver = new TopologyTestDriver(builder.build(), { partitions: 3 });
    const given = Array.from({ length: 24 }, (_, index) => ['abc'[index % 3] ?? '', index % 5] as const);
    for (const [index, [key, value]] of given.entries())
      driver.inputTopic(numbers('in')).pipeInput(`${key}${index}`, value);
    expect(byKey(driver.outputTopic(results).readKeyValues() as Entry[])).toEqual(byKey(oracle(given, theirs)));
  });

  test('drops and counts a null key, and keeps time and headers of each record', () => {
    const builder = new StreamsBuilder();
    ours(builder.stream(numbers('in')));
    using driver = new TopologyTestDriver(builder.build());
    driver.inputTopic(numbers('in')).pipeInput(null, 1);
    expect(driver.drops.map(({ reason }) => reason)).toEqual(['null-key']);
    for (let time = 50; time > 40; time -= 1) {
      const [key, value, trace] = [Buffer.from('k'), Buffer.from(String(time * 10)), Buffer.from(String(time))];
      driver.broker.append([{ topic: 'in', partition: 0, timestamp: time, key, value, headers: [['trace', trace]] }]);
    }
    driver.run();
    const out = driver.outputTopic(results).readRecords();
    expect(out.length).toBeGreaterThan(1);
    for (const { timestamp, headers } of out) expect(headers).toEqual([['trace', Buffer.from(String(timestamp))]]);
  });

  test('remembers nothing of a record that failed behind it', () => {
    const builder = new StreamsBuilder();
    const source = builder.stream(numbers('in'));
    ours(source);
    source.peek((_key, value) => {
      if (value === 13) throw new Error('13 is refused');
    });
    using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
    const given = [13, 1, 1, 13, 2, 13, 13, 3, 4, 4, 13, 5, 6].map((value) => ['k', value] as const);
    for (const [key, value] of given) driver.inputTopic(numbers('in')).pipeInput(key, value);
    const good = given.filter(([, value]) => value !== 13);
    expect(driver.outputTopic(results).readKeyValues()).toEqual(oracle(good, theirs));
    expect(driver.broker.records('in.dlq')).toHaveLength(5);
  });
});

test('a null result of scan goes on, and forgets its key', () => {
  const builder = new StreamsBuilder();
  const stream = builder
    .stream(numbers('in'))
    .scan((total: number, value) => (value === null ? null : total + value), 10, {
      store: 'totals',
      valueSerde: Serdes.integer,
    });
  expectTypeOf(stream).toEqualTypeOf<KStream<string, number | null>>();
  stream.to(sink());
  using driver = new TopologyTestDriver(builder.build());
  for (const value of [1, 2, null, 4]) driver.inputTopic(numbers('in')).pipeInput('k', value);
  expect(driver.outputTopic(results).readValues()).toEqual([11, 13, null, 14]);
  driver.inputTopic(numbers('in')).pipeInput('k', null);
  expect(driver.getKeyValueStore('totals').all()).toEqual([]);
});

test('a filled buffer leaves no row', () => {
  const builder = new StreamsBuilder();
  builder.stream(numbers('in')).bufferCount(2, { store: 'pairs' }).to(sink());
  using driver = new TopologyTestDriver(builder.build());
  for (const value of [1, 2, 3]) driver.inputTopic(numbers('in')).pipeInput('k', value);
  expect(driver.getKeyValueStore('pairs').all()).toEqual([['k', { skip: 0, values: [3] }]]);
  driver.inputTopic(numbers('in')).pipeInput('k', 4);
  expect(driver.getKeyValueStore('pairs').all()).toEqual([]);
});

test('values are the same if their bytes are', () => {
  const places = { name: 'in', keySerde: Serdes.string, valueSerde: Serdes.json<{ readonly place: string }>() };
  const builder = new StreamsBuilder();
  builder.stream(places).distinctUntilChanged({ store: 'places' }).to('out');
  using driver = new TopologyTestDriver(builder.build());
  for (const place of ['a', 'a', 'b', 'a']) driver.inputTopic(places).pipeInput('k', { place });
  expect(driver.outputTopic(results).readValues()).toEqual([{ place: 'a' }, { place: 'b' }, { place: 'a' }]);
});

describe('while it is built', () => {
  const stream = () => new StreamsBuilder().stream(numbers('in'));

  test('types go through', () => {
    expectTypeOf(stream().pairwise({ store: 's' })).toEqualTypeOf<KStream<string, readonly [Value, Value]>>();
    expectTypeOf(stream().bufferCount(2, { store: 's' })).toEqualTypeOf<KStream<string, readonly Value[]>>();
    expectTypeOf(stream().distinctUntilChanged({ store: 's' })).toEqualTypeOf<KStream<string, Value>>();
    const texts = stream().scan((text, value) => `${text}${value}`, '', { store: 's', valueSerde: Serdes.string });
    expectTypeOf(texts).toEqualTypeOf<KStream<string, string>>();
  });

  test('without a store each is refused: what it remembers would be lost', () => {
    const refused: (() => unknown)[] = [
      // @ts-expect-error a store is needed
      () => stream().scan(sum, 0, { valueSerde: nullable }),
      // @ts-expect-error likewise
      () => stream().distinctUntilChanged({}),
      // @ts-expect-error likewise
      () => stream().distinctUntilChanged(near),
      // @ts-expect-error likewise
      () => stream().distinctUntilChanged(),
      // @ts-expect-error likewise
      () => stream().pairwise(),
      // @ts-expect-error likewise
      () => stream().bufferCount(2),
      // @ts-expect-error likewise
      () => stream().bufferCount(2, 1, {}),
    ];
    for (const build of refused) {
      expect(build).toThrow(UnnamedOperatorError);
      expect(build).toThrow(/stands in a store: give it one \(store\)/);
    }
  });

  test('a changed key has a topic by the name of the store or of the operator', () => {
    const builder = new StreamsBuilder();
    const moved = builder.stream(numbers('in')).selectKey((key) => key);
    moved.pairwise({ store: 'pairs', keySerde: Serdes.string });
    moved.bufferCount(2, { store: 'buffers', as: 'by-two', keySerde: Serdes.string });
    const topics = builder
      .build()
      .plan('app')
      .subTopologies.flatMap(({ sources }) => sources.map(({ topic }) => topic));
    expect(topics).toEqual(['in', 'app-pairs-repartition', 'app-by-two-repartition']);
  });

  test('what is missing is told with the cure', () => {
    const moved = stream().map((key, value) => [key, value] as const);
    expect(() => moved.pairwise({ store: 's' })).toThrow(/s needs a keySerde/);
    expect(() => moved.pairwise({ store: 's', keySerde: Serdes.string })).toThrow(/s needs a valueSerde/);
    const options = { store: 's', keySerde: Serdes.string, valueSerde: nullable };
    expect(() => moved.scan(sum, 0, options)).toThrow(/s-repartition needs a valueSerde.*to a repartition before it/);
    expect(() => stream().bufferCount(0, { store: 's' })).toThrow(/size is 0/);
    expect(() => stream().bufferCount(2, 1.5, { store: 's' })).toThrow(/every is 1.5/);
  });
});
