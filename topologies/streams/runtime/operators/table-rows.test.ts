import { describe, expect, test } from 'vitest';
import { type KTable, Serdes, StreamsBuilder, TopologyError, TopologyTestDriver } from '../../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

/** A table with a history, what `build` makes of it, and what comes out. */
function driven(
  build: (table: KTable<string, string>, builder: StreamsBuilder) => KTable<string, string>,
  versionedMs = 100,
) {
  const builder = new StreamsBuilder();
  const table = builder.table(text('in'), { store: 'rows', versionedMs });
  build(table, builder).toStream().to(text('out'));
  const driver = new TopologyTestDriver(builder.build());
  const input = driver.inputTopic(text('in'));
  const output = driver.outputTopic(text('out'));
  return {
    driver,
    put: (key: string, value: string | null, time: number) => input.pipeInput(key, value, time),
    told: () => output.readRecords().map(({ key, value, timestamp }) => [key, value, timestamp]),
    reasons: () => driver.drops.map(({ reason }) => reason),
  };
}

test('rows out of order are forwarded; what is older than the history is neither kept nor forwarded, and counted', () => {
  const { put, told, reasons, driver } = driven((table) => table, 20);
  put('k', 'a', 10);
  put('k', 'c', 40);
  put('k', 'b', 20);
  put('l', 'late', 19);
  driver.crash();
  put('l', 'late', 19);
  expect(told()).toEqual([
    ['k', 'a', 10],
    ['k', 'c', 40],
    ['k', 'b', 20],
  ]);
  expect(reasons()).toEqual(['late', 'late']);
  const rows = driver.getVersionedKeyValueStore<string, string>('rows');
  expect([...rows.all()]).toEqual([['k', { value: 'c', timestamp: 40 }]]);
  expect([rows.get('k', 39), rows.get('k')]).toEqual([
    { value: 'b', timestamp: 20 },
    { value: 'c', timestamp: 40 },
  ]);
});

test('a join of tables takes no notice of rows out of order, and counts them', () => {
  const { put, told, reasons, driver } = driven((table, builder) =>
    table.leftJoin(builder.table(text('other'), { store: 'others' }), (left, right) => `${left}+${right}`, {
      as: 'both',
    }),
  );
  put('k', 'new', 40);
  put('k', 'old', 20);
  put('k', null, 10);
  driver.crash();
  driver.inputTopic(text('other')).pipeInput('k', 'o', 1);
  expect(told()).toEqual([
    ['k', 'new+null', 40],
    ['k', 'new+o', 40],
  ]);
  expect(reasons()).toEqual(['out-of-order', 'out-of-order']);
});

test.each(['left', 'right'] as const)(
  'a foreign-key join takes no notice of rows of its %s table that are out of order',
  (side) => {
    const builder = new StreamsBuilder();
    const history = { versionedMs: 100 };
    const left = builder.table(text('left'), { store: 'left-rows', ...(side === 'left' ? history : {}) });
    const right = builder.table(text('right'), { store: 'right-rows', ...(side === 'right' ? history : {}) });
    const options = { as: 'fk', valueSerde: Serdes.string };
    left
      .join(
        right,
        (value) => value.slice(0, 1),
        (value, other) => `${value}+${other}`,
        options,
      )
      .toStream()
      .to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    driver.inputTopic(text('right')).pipeInput('x', 'X', 50);
    driver.inputTopic(text('left')).pipeInput('k', 'x1', 50);
    driver.inputTopic(text(side)).pipeInput(side === 'left' ? 'k' : 'x', 'older', 20);
    driver.crash();
    driver.inputTopic(text('left')).pipeInput('k', 'x2', 60);
    expect(driver.outputTopic(text('out')).readKeyValues()).toEqual([
      ['k', 'x1+X'],
      ['k', 'x2+X'],
    ]);
    expect(driver.drops.map(({ reason }) => reason)).toEqual(['out-of-order']);
  },
);

test('a grouping holds the latest rows: rows out of order give nothing', () => {
  const { put, told, reasons } = driven((table) =>
    table
      .groupBy((key, value) => [value.slice(0, 1), key] as const, { ...text(''), as: 'by-first' })
      .reduce(
        (all, one) => `${all}${one}`,
        (all, one) => all.replace(one, ''),
        { store: 'groups' },
      ),
  );
  put('k', 'a1', 10);
  put('k', 'b1', 30);
  put('k', 'c1', 20);
  put('k', 'b2', 40);
  expect(told()).toEqual([
    ['a', 'k', 10],
    ['a', '', 30],
    ['b', 'k', 30],
    ['b', 'k', 40],
  ]);
  expect(reasons()).toEqual(['out-of-order']);
});

test('a filter tells every row that fails, since what is the latest row below it cannot be known from this one', () => {
  const { put, told } = driven((table) => table.filter((_key, value) => value !== 'no'));
  put('k', 'no', 10);
  put('k', 'yes', 30);
  put('k', 'no', 20);
  expect(told()).toEqual([
    ['k', null, 10],
    ['k', 'yes', 30],
    ['k', null, 20],
  ]);
});

describe('look-ups as of a time', () => {
  test('go through tables that keep no rows of their own', () => {
    const builder = new StreamsBuilder();
    const table = builder
      .table(text('rows'), { store: 'rows', versionedMs: 100 })
      .filter((_key, value) => value !== 'no')
      .mapValues((value) => value.toUpperCase());
    builder
      .stream(text('in'))
      .leftJoin(table, (value, row) => `${value} ${row}`)
      .to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    const rows = driver.inputTopic(text('rows'));
    rows.pipeInput('k', 'a', 10);
    rows.pipeInput('k', 'no', 20);
    rows.pipeInput('k', 'c', 30);
    driver.crash();
    for (const time of [5, 15, 25, 35]) driver.inputTopic(text('in')).pipeInput('k', `${time}`, time);
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['5 null', '15 A', '25 null', '35 C']);
  });

  test('end at a table that keeps its rows without a history', () => {
    const builder = new StreamsBuilder();
    const table = builder
      .table(text('rows'), { store: 'rows', versionedMs: 100 })
      .mapValues((value) => value.toUpperCase(), { store: 'mapped', valueSerde: Serdes.string });
    builder
      .stream(text('in'))
      .leftJoin(table, (value, row) => `${value} ${row}`)
      .to(text('out'));
    expect(() => builder.stream(text('in')).join(table, (value) => value, { as: 'wait', graceMs: 1 })).toThrow(
      /keeps no history/,
    );
    using driver = new TopologyTestDriver(builder.build());
    driver.inputTopic(text('rows')).pipeInput('k', 'a', 10);
    driver.inputTopic(text('in')).pipeInput('k', '5', 5);
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['5 A']);
  });
});

test('aggregates, and tables made of streams, keep a history too', () => {
  const builder = new StreamsBuilder();
  const stream = builder.stream(text('in'));
  stream.groupByKey().count({ store: 'counts', versionedMs: 50 });
  stream.toTable({ store: 'latest', versionedMs: 50 });
  using driver = new TopologyTestDriver(builder.build());
  const input = driver.inputTopic(text('in'));
  input.pipeInput('k', 'a', 10);
  input.pipeInput('k', 'b', 30);
  input.pipeInput('k', 'c', 20);
  driver.crash();
  const counts = driver.getVersionedKeyValueStore<string, bigint>('counts');
  expect([counts.get('k', 29)?.value, counts.get('k')?.value]).toEqual([1n, 3n]);
  const latest = driver.getVersionedKeyValueStore<string, string>('latest');
  expect([latest.get('k', 25)?.value, latest.get('k')?.value]).toEqual(['c', 'b']);
});

test('a history needs a store to stand in', () => {
  const builder = new StreamsBuilder();
  expect(() => builder.table(text('in'), { versionedMs: 10 })).toThrow(TopologyError);
  const table = builder.table(text('rows'), { store: 'rows' });
  expect(() => table.mapValues((value) => value, { versionedMs: 10 })).toThrow(/Name one/);
  expect(() => builder.table(text('more'), { store: 'more', versionedMs: -1 })).toThrow(/retention of -1/);
});
