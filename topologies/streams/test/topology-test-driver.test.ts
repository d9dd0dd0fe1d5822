import { map } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  type GlobalKTable,
  JoinWindows,
  type KeyValueStore,
  type Processor,
  type ProcessorContext,
  Serdes,
  Stores,
  StreamsBuilder,
  TopologyTestDriver,
} from '../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const numbers = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.integer });

/** Adds up per key and refuses 13. */
const summing = () => {
  const builder = new StreamsBuilder();
  builder.addStateStore(Stores.keyValue({ name: 'sums', keySerde: Serdes.string, valueSerde: Serdes.integer }));
  builder
    .stream(numbers('in'), { nullKeys: 'dead-letter', nullValues: 'dead-letter' })
    .process<string, number>(
      () => {
        let context: ProcessorContext<string, number>;
        let sums: KeyValueStore<string, number>;
        return {
          init(given) {
            context = given;
            sums = given.getStateStore('sums');
          },
          process({ key, value }) {
            const sum = (sums.get(key) ?? 0) + value;
            sums.put(key, sum);
            context.forward({ key, value: sum });
            if (value === 13) throw new Error('13 is refused');
          },
        } satisfies Processor<string, number, string, number>;
      },
      { as: 'sum', stores: ['sums'] },
    )
    .to(numbers('out'));
  return builder.build();
};

test('stateless operators, in order, with the record time kept', () => {
  const builder = new StreamsBuilder();
  builder
    .stream(text('in'))
    .filter((_key, value) => value !== 'no')
    .flatMapValues((value) => value.split(' '))
    .map((key, value) => [key.toUpperCase(), value] as const)
    .pipe(map((record) => ({ ...record, value: `${record.value}!` })))
    .to(text('out'));
  using driver = new TopologyTestDriver(builder.build());
  driver.inputTopic(text('in')).pipeInput('a', 'x y', 7);
  driver.inputTopic(text('in')).pipeInput('a', 'no', 8);
  const out = driver.outputTopic(text('out')).readRecords();
  expect(out.map(({ key, value, timestamp }) => [key, value, timestamp])).toEqual([
    ['A', 'x!', 7],
    ['A', 'y!', 7],
  ]);
});

describe('a record that fails leaves nothing', () => {
  test('its store writes and outputs are taken back, and it is a dead letter with its cause', () => {
    using driver = new TopologyTestDriver(summing(), { onFailure: 'dead-letter' });
    const input = driver.inputTopic(numbers('in'));
    for (const value of [1, 13, 2]) input.pipeInput('k', value);
    expect(driver.outputTopic(numbers('out')).readValues()).toEqual([1, 3]);
    const [letter] = driver.outputTopic(numbers('in.dlq')).readRecords();
    expect(letter?.value).toBe(13);
    const headers = Object.fromEntries(
      (letter?.headers ?? []).map(([name, value]) => [name, Buffer.from(value).toString()]),
    );
    expect(headers).toMatchObject({
      reason: 'failed',
      'origin-topic': 'in',
      'origin-offset': '1',
      application: 'test',
      task: '0_0',
    });
    expect(headers.cause).toContain('13 is refused');
  });

  test('without a handler the task stops and names the record', () => {
    using driver = new TopologyTestDriver(summing());
    expect(() => driver.inputTopic(numbers('in')).pipeInput('k', 13)).toThrow(/in-0@0.*13 is refused/);
  });

  test('bytes that are no value, a null key and a null value where one is needed', () => {
    using driver = new TopologyTestDriver(summing());
    const input = driver.inputTopic(numbers('in'));
    input.sendBytes(new TextEncoder().encode('k'), Uint8Array.of(1, 2));
    input.sendBytes(null, Serdes.integer.serialize('in', 5));
    input.sendBytes(new TextEncoder().encode('k'), null);
    input.pipeInput('k', 4);
    expect(driver.outputTopic(numbers('out')).readValues()).toEqual([4]);
    expect(driver.broker.records('in.dlq')).toHaveLength(3);
    expect(driver.drops.map((drop) => drop.reason)).toEqual(['malformed', 'null-key', 'null-value']);
  });
});

describe('a crash', () => {
  test.each(['before-commit', 'after-commit'] as const)('%s changes no answer', (at) => {
    using driver = new TopologyTestDriver(summing(), { partitions: 3 });
    const input = driver.inputTopic(numbers('in'));
    for (const [index, key] of ['a', 'b', 'a', 'c', 'a'].entries()) {
      input.send(key, index + 1);
      driver.crash(at);
      driver.run();
    }
    const last = new Map(driver.outputTopic(numbers('out')).readKeyValues());
    expect(last).toEqual(
      new Map([
        ['a', 9],
        ['b', 2],
        ['c', 4],
      ]),
    );
    expect(driver.broker.records('out')).toHaveLength(5);
    expect(driver.getKeyValueStore('sums').get('a')).toBe(9);
  });
});

test('a changed key is repartitioned before it is counted', () => {
  const builder = new StreamsBuilder();
  builder
    .stream(text('words'))
    .groupBy((_key, word) => word, { as: 'by-word', keySerde: Serdes.string })
    .count({ store: 'counts' })
    .toStream()
    .to({ name: 'counts-out', keySerde: Serdes.string, valueSerde: Serdes.long });
  using driver = new TopologyTestDriver(builder.build(), { applicationId: 'wc', partitions: 4 });
  for (const word of ['x', 'y', 'x', 'x']) driver.inputTopic(text('words')).pipeInput(`${Math.random()}`, word);
  const counts = new Map(
    driver.outputTopic({ name: 'counts-out', keySerde: Serdes.string, valueSerde: Serdes.long }).readKeyValues(),
  );
  expect(counts).toEqual(
    new Map([
      ['x', 3n],
      ['y', 1n],
    ]),
  );
  expect(driver.broker.topics).toContain('wc-by-word-repartition');
  expect(driver.broker.topics).toContain('wc-counts-changelog');
});

test('a key that has changed needs a name for its topic', () => {
  const stream = new StreamsBuilder().stream(text('words')).selectKey((_key, word) => word);
  expect(() => stream.repartition({ keySerde: Serdes.string })).toThrow(/Give one \(as\)/);
});

describe('joins', () => {
  test('two streams: every pair within the window once, at the later time', () => {
    const builder = new StreamsBuilder();
    const left = builder.stream(text('left'));
    const right = builder.stream(text('right'));
    left.join(right, (l, r) => `${l}${r}`, JoinWindows.ofTimeDifferenceWithNoGrace(10), { as: 'both' }).to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    driver.inputTopic(text('left')).pipeInput('k', 'a', 100);
    driver.inputTopic(text('right')).pipeInput('k', 'b', 105);
    driver.inputTopic(text('right')).pipeInput('k', 'c', 111);
    driver.inputTopic(text('left')).pipeInput('k', 'd', 104);
    driver.inputTopic(text('left')).pipeInput('other', 'e', 111);
    const out = driver.outputTopic(text('out')).readRecords();
    expect(out.map(({ value, timestamp }) => [value, timestamp])).toEqual([
      ['ab', 105],
      ['db', 105],
      ['dc', 111],
    ]);
  });

  test('a stream with a table, and with a global table by a key of the value', () => {
    const builder = new StreamsBuilder();
    const table = builder.table(text('table'), { store: 'rows' });
    const global: GlobalKTable<string, string> = builder.globalTable(text('global'), { store: 'all-rows' });
    builder
      .stream(text('stream'))
      .leftJoin(table, (value, row) => `${value}+${row}`)
      .join(
        global,
        (_key, value) => value.slice(0, 1),
        (value, row) => `${value}/${row}`,
      )
      .to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    driver.inputTopic(text('global')).pipeInput('a', 'G');
    driver.inputTopic(text('stream')).pipeInput('k', 'a');
    driver.inputTopic(text('table')).pipeInput('k', 'T');
    driver.inputTopic(text('stream')).pipeInput('k', 'a');
    driver.inputTopic(text('stream')).pipeInput('k', 'b');
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['a+null/G', 'a+T/G']);
  });

  test('two tables: a change of either side, and a deletion', () => {
    const builder = new StreamsBuilder();
    const left = builder.table(text('left'), { store: 'left-rows' });
    const right = builder.table(text('right'), { store: 'right-rows' });
    left
      .join(right, (l, r) => `${l}${r}`, { as: 'both' })
      .toStream()
      .to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    driver.inputTopic(text('left')).pipeInput('k', 'a');
    driver.inputTopic(text('right')).pipeInput('k', '1');
    driver.inputTopic(text('left')).pipeInput('k', 'b');
    driver.inputTopic(text('right')).pipeInput('k', null);
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['a1', 'b1', null]);
  });
});

test('punctuators by wall clock and by stream time forward and keep their rhythm', () => {
  const builder = new StreamsBuilder();
  builder
    .stream(text('in'))
    .process<string, string>(
      () => ({
        init(context) {
          context.schedule(100, 'wall-clock-time', (now) => context.forward({ key: 'wall', value: String(now) }));
          context.schedule(1_000, 'stream-time', (now) => context.forward({ key: 'stream', value: String(now) }));
        },
        process() {},
      }),
      { as: 'ticking' },
    )
    .to(text('out'));
  using driver = new TopologyTestDriver(builder.build(), { startWallClockMs: 50 });
  driver.advanceWallClock(99);
  driver.advanceWallClock(1);
  driver.advanceWallClock(350);
  driver.inputTopic(text('in')).pipeInput('k', 'v', 2_500);
  driver.inputTopic(text('in')).pipeInput('k', 'v', 2_900);
  driver.inputTopic(text('in')).pipeInput('k', 'v', 3_000);
  expect(driver.outputTopic(text('out')).readKeyValues()).toEqual([
    ['wall', '150'],
    ['wall', '500'],
    ['stream', '2500'],
    ['stream', '3000'],
  ]);
});

test('several applications over one broker, one record at a time in the chosen order', () => {
  const copy = (from: string, to: string) => {
    const builder = new StreamsBuilder();
    builder.stream(text(from)).to(text(to));
    return builder.build();
  };
  using driver = new TopologyTestDriver({ first: copy('a', 'b'), second: copy('b', 'c') });
  driver.inputTopic(text('a')).send('k', '1');
  driver.inputTopic(text('a')).send('k', '2');
  const order: string[] = [];
  while (
    driver.step((waiting) => {
      const last = waiting.at(-1);
      if (!last) throw new Error('nothing');
      order.push(last.application);
      return last;
    })
  ) {}
  expect(order).toEqual(['first', 'second', 'first', 'second']);
  expect(driver.outputTopic(text('c')).readValues()).toEqual(['1', '2']);
});
