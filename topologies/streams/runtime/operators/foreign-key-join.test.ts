import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type DriverOptions,
  type ForeignKeyJoinOptions,
  type KTable,
  type Serde,
  Serdes,
  StreamsBuilder,
  TimeWindows,
  TopologyTestDriver,
} from '../../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const [left, right, out] = [text('left'), text('right'), text('out')];

/** `x:1` wants the right row `x`; `-` wants none. */
const foreignKeyOf = (value: string) => (value === '-' ? null : (value.split(':')[0] ?? null));
const show = (value: string, other: string | null) => `${value}+${other}`;

interface Build {
  readonly type?: 'inner' | 'left';
  readonly semantics?: 'strict' | 'kafka-streams';
  readonly derive?: (table: KTable<string, string>) => KTable<string, string>;
  readonly options?: ForeignKeyJoinOptions<string, string, string>;
}

function build({ type = 'inner', semantics = 'strict', derive = (table) => table, options = {} }: Build) {
  const builder = new StreamsBuilder({ semantics });
  const rows = derive(builder.table(left, { store: 'left-rows' }));
  const others = builder.table(right, { store: 'right-rows' });
  const all = { as: 'fk', store: 'joined', valueSerde: Serdes.string, ...options };
  const joined =
    type === 'inner'
      ? rows.join(others, foreignKeyOf, show, all)
      : rows.leftJoin(others, foreignKeyOf, (value, other) => show(value, other), all);
  joined.toStream().to(out);
  return builder.build();
}

function pipe(
  driver: TopologyTestDriver,
  ...records: readonly (readonly ['left' | 'right', string, string | null, number])[]
) {
  for (const [topic, key, value, time] of records) driver.inputTopic(text(topic)).pipeInput(key, value, time);
  return driver
    .outputTopic(out)
    .readRecords()
    .map(({ key, value, timestamp }) => [key, value, timestamp]);
}

describe('the answer to an earlier version of a left row', () => {
  test('is dropped and counted, whichever comes first', () => {
    using driver = new TopologyTestDriver(build({}));
    pipe(driver, ['right', 'x', 'X', 1], ['right', 'y', 'Y', 1]);
    driver.inputTopic(left).send('k', 'x:1', 2);
    driver.step((waiting) => waiting.find(({ topic }) => topic === 'left') ?? fail());
    driver.inputTopic(left).send('k', 'y:2', 3); // before the answer of x has come back
    driver.step((waiting) => waiting.find(({ topic }) => topic === 'left') ?? fail());
    driver.run();
    expect(driver.outputTopic(out).readKeyValues()).toEqual([['k', 'y:2+Y']]);
    expect(driver.drops.filter(({ reason }) => reason === 'stale')).toMatchObject([
      { node: 'fk-subscription-response-resolver' },
    ]);
  });
});

const fail = (): never => {
  throw new Error('nothing waits there');
};

describe('time', () => {
  const records = [
    ['left', 'k', 'x:1', 9],
    ['right', 'x', 'X', 4],
  ] as const;
  test('of a result is that of the newer row', () => {
    using driver = new TopologyTestDriver(build({}));
    expect(pipe(driver, ...records)).toEqual([['k', 'x:1+X', 9]]);
  });
  test('of Kafka Streams is that of the right row, when that changed', () => {
    using driver = new TopologyTestDriver(build({ semantics: 'kafka-streams' }));
    expect(pipe(driver, ...records)).toEqual([['k', 'x:1+X', 4]]);
  });
});

describe('rows are told apart by what is stored, so the join holds', () => {
  /** Writes other bytes each time, as an Avro encoder does after a new schema was registered. */
  const unstable = (): Serde<string> => {
    let writes = 0;
    const { serialize, deserialize } = Serdes.string;
    return {
      serialize: (topic, value) => serialize(topic, `${writes++}|${value}`),
      deserialize: (topic, bytes) => deserialize(topic, bytes).split('|')[1] ?? '',
    };
  };
  const found = [
    ['left', 'k', 'x:1', 1],
    ['right', 'x', 'X', 2],
  ] as const;

  test('with an encoder that gives other bytes tomorrow', () => {
    const builder = new StreamsBuilder();
    const rows = builder.table({ ...left, valueSerde: unstable() }, { store: 'left-rows' });
    const others = builder.table(right, { store: 'right-rows' });
    rows.join(others, foreignKeyOf, show, { as: 'fk', valueSerde: Serdes.string }).toStream().to(out);
    using driver = new TopologyTestDriver(builder.build());
    driver.inputTopic(left).pipeInput('k', '0|x:1', 1);
    driver.inputTopic(right).pipeInput('x', 'X', 2);
    expect(driver.outputTopic(out).readKeyValues().at(-1)).toEqual(['k', 'x:1+X']);
  });

  test.each<[string, Build['derive']]>([
    ['a mapped table without a store and without a serde', (table) => table.mapValues((value) => value)],
    ['a filtered one', (table) => table.filter((_key, value) => value !== 'no')],
    ['one that gives rows to keys without any', (table) => table.transformValues((_key, value) => value ?? 'x:none')],
    [
      'an aggregate',
      (table) =>
        table
          .toStream()
          .groupByKey()
          .reduce((_a, b) => b, { store: 'latest' }),
    ],
    [
      'a versioned table',
      (table) => table.mapValues((value) => value, { store: 'v', valueSerde: Serdes.string, versionedMs: 100 }),
    ],
    ['a suppressed one', (table) => table.suppress({ as: 'held', until: 'timeLimit', limitMs: 0 })],
    ['a join without a store', (table) => table.join(table, (value) => value)],
  ])('of %s', (_what, derive) => {
    using driver = new TopologyTestDriver(build(derive === undefined ? {} : { derive }));
    expect(pipe(driver, ...found).at(-1)).toEqual(['k', 'x:1+X', 2]);
  });

  test('of a windowed aggregate, by the bytes of its values', () => {
    const builder = new StreamsBuilder();
    const windows = TimeWindows.ofSizeAndGrace(10, 0);
    const latest = builder
      .stream(left)
      .groupByKey()
      .windowedBy(windows)
      .reduce((_a, b) => b, { store: 'latest' });
    const others = builder.table(right, { store: 'right-rows' });
    const joined = latest.join(others, foreignKeyOf, show, { as: 'fk' });
    joined
      .toStream()
      .selectKey(({ key }) => key)
      .to(out, { valueSerde: Serdes.string });
    using driver = new TopologyTestDriver(builder.build());
    expect(pipe(driver, ...found).at(-1)).toEqual(['k', 'x:1+X', 2]);
    driver.crash();
    expect(pipe(driver, ['right', 'x', 'X2', 3]).at(-1)).toEqual(['k', 'x:1+X2', 3]);
  });

  test('a row that left the filter is gone from the result', () => {
    using driver = new TopologyTestDriver(
      build({ derive: (table) => table.filter((_key, value) => value !== 'x:no') }),
    );
    expect(pipe(driver, ...found, ['left', 'k', 'x:no', 3], ['right', 'x', 'X2', 4]).slice(1)).toEqual([
      ['k', null, 3],
    ]);
  });
});

describe('an inner join where a left row changes again before the answer to its last change has come', () => {
  const race = (semantics: 'strict' | 'kafka-streams') => {
    using driver = new TopologyTestDriver(build({ semantics }));
    pipe(driver, ['right', 'x', 'X', 1], ['left', 'k', 'x:1', 2]);
    for (const value of ['y:1', 'y:2']) driver.inputTopic(left).send('k', value, 3);
    const takeLeft = () => driver.step((waiting) => waiting.find(({ topic }) => topic === 'left') ?? fail());
    takeLeft();
    takeLeft();
    driver.run();
    return [...driver.getTimestampedKeyValueStore('joined').all()].map(([key]) => key);
  };
  test('forgets the earlier result', () => expect(race('strict')).toEqual([]));
  test('keeps it for ever, as Kafka Streams does', () => expect(race('kafka-streams')).toEqual(['k']));
});

test('a row that never had a result is not deleted', () => {
  using driver = new TopologyTestDriver(build({}));
  expect(pipe(driver, ['left', 'k', 'x:1', 1], ['left', 'k', null, 2], ['left', 'l', '-', 3])).toEqual([]);
});

test('keys that begin alike do not meet', () => {
  using driver = new TopologyTestDriver(build({ type: 'left' }));
  const records = pipe(
    driver,
    ['left', 'k', 'x:1', 1],
    ['left', 'l', 'xk:1', 2],
    ['right', 'x', 'X', 3],
    ['right', 'xk', 'XK', 4],
  );
  expect(records.slice(2)).toEqual([
    ['k', 'x:1+X', 3],
    ['l', 'xk:1+XK', 4],
  ]);
  expect(driver.drops).toEqual([]);
});

test('a foreign key too long for a store is the left record’s failure, not the right side’s', () => {
  using driver = new TopologyTestDriver(build({}), { onFailure: 'dead-letter' });
  const long = 'x'.repeat(1990);
  const records = pipe(driver, ['left', 'k', `${long}:1`, 1], ['right', 'y', 'Y', 1], ['left', 'k', 'y:1', 2]);
  expect(records).toEqual([['k', 'y:1+Y', 2]]);
  expect(driver.broker.records('left.dlq')).toHaveLength(1);
});

test('a right topic with a partitioner of its own', () => {
  const last = () => 2;
  using driver = new TopologyTestDriver(build({ options: { otherPartitioner: last } }), { partitions: 3 });
  driver.inputTopic(left).pipeInput('k', 'x:1', 1);
  const [key, value] = [Serdes.string.serialize('right', 'x'), Serdes.string.serialize('right', 'X')];
  driver.broker.append([{ topic: 'right', partition: 2, key, value, timestamp: 2, headers: [] }]);
  driver.run();
  expect(driver.outputTopic(out).readKeyValues()).toEqual([['k', 'x:1+X']]);
});

test('left rows without a foreign key are spread over the right side', () => {
  using driver = new TopologyTestDriver(build({ type: 'left' }), { partitions: 4 });
  for (let key = 0; key < 40; key += 1) driver.inputTopic(left).pipeInput(`${key}`, '-');
  const requests = driver.broker.records('test-fk-subscription-registration-topic');
  expect(new Set(requests.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2, 3]));
  expect(driver.outputTopic(out).readRecords()).toHaveLength(40);
});

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(
      fc.constant('left'),
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.constantFrom('x:1', 'x:2', 'y:1', 'z:1', '-', null),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constant('right'), fc.constantFrom('x', 'y', 'z'), fc.constantFrom('1', '2', null)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('crash', 'before-commit', 'after-commit', 'deliver-some').map((what) => [what] as const),
  },
);

/** What the join must be in the end: every left row with its right one. */
function nestedLoop(type: 'inner' | 'left', tables: Readonly<Record<string, ReadonlyMap<string, string>>>) {
  const result = new Map<string, string>();
  for (const [key, value] of tables.left ?? []) {
    const wanted = foreignKeyOf(value);
    const other = wanted === null ? null : (tables.right?.get(wanted) ?? null);
    if (type === 'left' || other !== null) result.set(key, show(value, other));
  }
  return result;
}

describe.each(['inner', 'left'] as const)('%s: many partitions, crashes and orders of delivery', (type) => {
  const law = (options: DriverOptions) =>
    fc.property(fc.array(step, { maxLength: 40 }), fc.infiniteStream(fc.nat(1000)), (steps, choices) => {
      using driver = new TopologyTestDriver(build({ type }), options);
      const tables = { left: new Map<string, string>(), right: new Map<string, string>() };
      const deliver = (count: number) => {
        const any = () => choices.next().value ?? 0;
        for (
          let i = 0;
          i < count && driver.step((waiting) => waiting[any() % waiting.length] ?? fail()) !== null;
          i += 1
        );
      };
      for (const [what, key, value] of steps) {
        if (what === 'crash') driver.crash();
        else if (what === 'before-commit' || what === 'after-commit') driver.crash(what);
        else if (what === 'deliver-some') deliver(3);
        else {
          const table = what === 'left' ? tables.left : tables.right;
          driver.inputTopic(text(what)).send(key ?? '', value ?? null, 0);
          if (value === null || value === undefined) table.delete(key ?? '');
          else table.set(key ?? '', value);
          deliver((choices.next().value ?? 0) % 3);
        }
      }
      driver.run();
      const expected = nestedLoop(type, tables);
      const rows = [...driver.getTimestampedKeyValueStore<string, string>('joined').all()];
      expect(new Map(rows.map(([key, { value }]) => [key, value]))).toEqual(expected);
      const told = new Map(driver.outputTopic(out).readKeyValues());
      expect(new Map([...told].filter(([, value]) => value !== null))).toEqual(expected);
    });

  test('the last result is that of a nested loop, on three partitions', () => {
    fc.assert(law({ partitions: 3 }), { numRuns: 200 });
  });
  test('also with tables of different widths', () => {
    fc.assert(law({ topicPartitions: { left: 2, right: 5 } }), { numRuns: 200 });
  });
});

test('several partitions tell of each key what one partition tells', () => {
  const records = fc.array(
    fc.oneof(
      fc.tuple(
        fc.constant('left' as const),
        fc.constantFrom('a', 'b', 'c', 'd'),
        fc.constantFrom('x:1', 'x:2', 'y:1', '-', null),
      ),
      fc.tuple(fc.constant('right' as const), fc.constantFrom('x', 'y'), fc.constantFrom('1', '2', null)),
    ),
    { maxLength: 30 },
  );
  const told = (
    partitions: number,
    type: 'inner' | 'left',
    steps: readonly (readonly ['left' | 'right', string, string | null])[],
  ) => {
    using driver = new TopologyTestDriver(build({ type }), { partitions });
    const byKey = new Map<unknown, unknown[]>();
    const all = pipe(driver, ...steps.map((one, time) => [...one, time] as const));
    for (const [key, ...rest] of all) byKey.set(key, [...(byKey.get(key) ?? []), rest]);
    return byKey;
  };
  fc.assert(
    fc.property(records, fc.constantFrom('inner' as const, 'left' as const), (steps, type) => {
      expect(told(4, type, steps)).toEqual(told(1, type, steps));
    }),
    { numRuns: 100 },
  );
});
