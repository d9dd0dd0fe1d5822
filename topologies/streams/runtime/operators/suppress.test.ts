import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BufferConfig,
  InvalidArgumentError,
  MissingSerdeError,
  type ProcessorContext,
  Serdes,
  SessionWindows,
  StreamsBuilder,
  TimeWindows,
  TopologyError,
  TopologyTestDriver,
  UnnamedOperatorError,
  WindowedSerdes,
} from '../../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const numbers = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.integer });

interface Update {
  readonly key: string;
  readonly value: string | null;
  readonly timestamp: number;
}

/** What a suppress until a time limit sends, as a fold over what comes. */
function folded(updates: readonly Update[], limitMs: number, maxRecords: number): readonly Update[] {
  const held = new Map<string, Update & { readonly time: number }>();
  const sent: Update[] = [];
  let streamTime = -1;
  for (const update of updates) {
    streamTime = Math.max(streamTime, update.timestamp);
    held.set(update.key, { ...update, time: held.get(update.key)?.time ?? update.timestamp });
    for (const one of [...held.values()].sort((a, b) => a.time - b.time || (a.key < b.key ? -1 : 1))) {
      if (one.time > streamTime - limitMs && held.size <= maxRecords) continue;
      held.delete(one.key);
      sent.push({ key: one.key, value: one.value, timestamp: one.timestamp });
    }
  }
  return sent;
}

const byLimit = (limitMs: number, config: BufferConfig) => {
  const builder = new StreamsBuilder();
  builder
    .table(text('in'), { store: 'rows' })
    .suppress({ until: 'timeLimit', limitMs, as: 'hold', ...config })
    .toStream()
    .to(text('out'));
  return builder.build();
};

const update = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  value: fc.option(fc.constantFrom('x', 'y', 'z')),
  timestamp: fc.nat({ max: 40 }),
  crash: fc.constantFrom(null, null, 'before-commit', 'after-commit', 'idle'),
});

test('sends what a fold over its input sends, whenever it crashes', () => {
  fc.assert(
    fc.property(
      fc.array(update, { maxLength: 40 }),
      fc.nat({ max: 30 }),
      fc.option(fc.nat({ max: 4 })),
      (updates, limitMs, max) => {
        using driver = new TopologyTestDriver(byLimit(limitMs, max === null ? {} : { maxRecords: max }));
        const input = driver.inputTopic(text('in'));
        for (const { key, value, timestamp, crash } of updates) {
          input.send(key, value, timestamp);
          if (crash === 'before-commit' || crash === 'after-commit') driver.crash(crash);
          driver.run();
          if (crash === 'idle') driver.crash();
        }
        const sent = driver.outputTopic(text('out')).readRecords();
        expect(sent.map(({ key, value, timestamp }) => ({ key, value, timestamp }))).toEqual(
          folded(updates, limitMs, max ?? Number.POSITIVE_INFINITY).map(({ key, value, timestamp }) => ({
            key,
            value,
            timestamp,
          })),
        );
      },
    ),
    { numRuns: 150 },
  );
}, 30_000);

describe('until windows close', () => {
  const windowed = WindowedSerdes.timeWindowed(Serdes.string, 10);
  const out = { name: 'out', keySerde: windowed, valueSerde: Serdes.long };
  const counts = (graceMs: number) => {
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeAndGrace(10, graceMs))
      .count({ store: 'counts' })
      .suppress({ until: 'windowClose', as: 'final' })
      .toStream()
      .to(out);
    return builder.build();
  };

  test('each window is told once, by any key of the task, by no wall clock, at the time of its last record', () => {
    using driver = new TopologyTestDriver(counts(5));
    const input = driver.inputTopic(text('in'));
    const output = driver.outputTopic(out);
    const told = () =>
      output.readRecords().map(({ key, value, timestamp }) => [key?.key, key?.window.startMs, value, timestamp]);
    input.pipeInput('k', 'v', 1);
    input.pipeInput('k', 'v', 7);
    input.pipeInput('k', 'v', 12);
    input.pipeInput('k', 'v', 3);
    driver.advanceWallClock(86_400_000);
    input.pipeInput('l', 'v', 14);
    expect(told()).toEqual([]);
    driver.crash();
    input.pipeInput('l', 'v', 15);
    expect(told()).toEqual([['k', 0, 3n, 7]]);
    input.pipeInput('z', 'v', 100);
    expect(told()).toEqual([
      ['k', 10, 1n, 12],
      ['l', 10, 2n, 15],
    ]);
  });

  test('sessions wait for gap and grace, and what they have replaced is not told', () => {
    const sessions = WindowedSerdes.sessionWindowed(Serdes.string);
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .groupByKey()
      .windowedBy(SessionWindows.ofInactivityGapAndGrace(5, 2))
      .count({ store: 'counts' })
      .mapValues((count) => `${count}`, { valueSerde: Serdes.string })
      .filter(() => true)
      .suppress({ until: 'windowClose', as: 'final' })
      .toStream()
      .to({ name: 'out', keySerde: sessions, valueSerde: Serdes.string });
    using driver = new TopologyTestDriver(builder.build());
    const input = driver.inputTopic(text('in'));
    input.pipeInput('k', 'v', 10);
    input.pipeInput('k', 'v', 14);
    input.pipeInput('k', 'v', 20);
    const out = driver.outputTopic({ name: 'out', keySerde: sessions, valueSerde: Serdes.string });
    expect(out.isEmpty).toBe(true); // [10,14] is open until 14 + 5 + 2
    input.pipeInput('k', 'v', 21);
    expect(out.readKeyValues()).toEqual([[{ key: 'k', window: { startMs: 10, endMs: 14 } }, '2']]);
  });

  test('a full buffer stops the application, also where failures become dead letters, and says how to go on', () => {
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .groupByKey()
      .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
      .count({ store: 'counts' })
      .suppress({ until: 'windowClose', as: 'final', maxRecords: 2 });
    using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
    const input = driver.inputTopic(text('in'));
    input.pipeInput('a', 'v', 1);
    input.pipeInput('b', 'v', 1);
    input.pipeInput('a', 'v', 2);
    expect(() => input.pipeInput('c', 'v', 3)).toThrow(/final holds back 3 updates.*Raise maxRecords/);
    expect(driver.broker.records('in.dlq')).toEqual([]);
  });
});

test('maxBytes counts keys and values; with emitEarly what waits longest goes', () => {
  using driver = new TopologyTestDriver(byLimit(1_000, { maxBytes: 3_000 }));
  const input = driver.inputTopic(text('in'));
  input.pipeInput('a', 'x'.repeat(1_000), 1);
  input.pipeInput('b', 'y'.repeat(1_000), 2);
  input.pipeInput('a', 'z', 3);
  expect(driver.outputTopic(text('out')).isEmpty).toBe(true);
  input.pipeInput('c', 'x'.repeat(2_000), 4);
  expect(driver.outputTopic(text('out')).readKeyValues()).toEqual([
    ['a', 'z'],
    ['b', 'y'.repeat(1_000)],
  ]);
});

describe('what stands below', () => {
  const summed = (semantics: 'strict' | 'kafka-streams') => {
    const builder = new StreamsBuilder({ semantics });
    builder
      .table(numbers('in'), { store: 'rows' })
      .suppress({ until: 'timeLimit', limitMs: 10, as: 'hold' })
      .groupBy((_key, value) => ['all', value] as const, { ...numbers(''), as: 'all' })
      .reduce(
        (sum, value) => sum + value,
        (sum, value) => sum - value,
        { store: 'sums' },
      )
      .toStream()
      .to(numbers('out'));
    return builder.build();
  };
  const sums = (semantics: 'strict' | 'kafka-streams') => {
    using driver = new TopologyTestDriver(summed(semantics));
    const input = driver.inputTopic(numbers('in'));
    input.pipeInput('a', 100, 0);
    input.pipeInput('a', 1, 10); // 1 goes, and 100 was never told
    input.pipeInput('b', 50, 20); // the window of a is over: nothing of it waits
    input.pipeInput('a', 7, 30);
    input.pipeInput('a', 2, 31);
    input.pipeInput('b', 50, 60);
    return driver.outputTopic(numbers('out')).readValues();
  };

  test('an aggregation takes out what it has put in, not what was held back', () => {
    expect(sums('strict')).toEqual([1, 51, 52]);
  });

  test('with the semantics of Kafka Streams it takes out what it was never told', () => {
    expect(sums('kafka-streams')).not.toEqual(sums('strict'));
  });

  test('a join looks up what has been told', () => {
    const builder = new StreamsBuilder();
    const rows = builder.table(text('in'), { store: 'rows' }).suppress({ until: 'timeLimit', limitMs: 10, as: 'hold' });
    builder
      .stream(text('asked'))
      .leftJoin(rows, (asked, row) => `${asked} ${row}`)
      .to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    const rowsIn = driver.inputTopic(text('in'));
    const ask = driver.inputTopic(text('asked'));
    rowsIn.pipeInput('k', 'one', 0);
    ask.pipeInput('k', 'first', 1);
    rowsIn.pipeInput('k', 'two', 5);
    rowsIn.pipeInput('k', 'three', 11); // three goes
    ask.pipeInput('k', 'second', 12);
    rowsIn.pipeInput('k', 'four', 13);
    driver.crash();
    ask.pipeInput('k', 'third', 14);
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['first null', 'second three', 'third three']);
  });

  const seeing = (see: (context: ProcessorContext<string, string>, value: string) => void) => {
    const builder = new StreamsBuilder();
    builder
      .table(text('in'), { store: 'rows' })
      .suppress({ until: 'timeLimit', limitMs: 10, as: 'hold' })
      .toStream()
      .process<string, string>(
        () => {
          let context: ProcessorContext<string, string>;
          return {
            init(given) {
              context = given;
            },
            process: ({ value }) => see(context, value),
          };
        },
        { as: 'see' },
      );
    return builder.build();
  };

  test('a record that was held back goes with its own offset and headers, also after a crash', () => {
    const seen: unknown[] = [];
    const topology = seeing((context, value) => seen.push([value, context.recordMetadata(), context.headers]));
    using driver = new TopologyTestDriver(topology);
    driver.inputTopic(text('in'));
    const bytes = new TextEncoder().encode('v');
    driver.broker.append([
      { topic: 'in', partition: 0, timestamp: 0, key: bytes, value: bytes, headers: [['trace', bytes]] },
    ]);
    driver.run();
    driver.crash();
    driver.inputTopic(text('in')).pipeInput('other', 'w', 10);
    expect(seen).toEqual([['v', { topic: 'in', partition: 0, offset: 0 }, [['trace', bytes]]]]);
  });

  test('what fails with a record that was held back stops the task: the record under way is not the guilty one', () => {
    const topology = seeing((_context, value) => {
      if (value === 'bad') throw new Error('no');
    });
    using driver = new TopologyTestDriver(topology, { onFailure: 'dead-letter' });
    const input = driver.inputTopic(text('in'));
    input.pipeInput('k', 'bad', 0);
    expect(() => input.pipeInput('innocent', 'v', 10)).toThrow(/see: .*held back: no/);
    expect(driver.broker.records('in.dlq')).toEqual([]);
  });

  test('a record that fails leaves nothing held back, and what it had sent waits again', () => {
    const builder = new StreamsBuilder();
    const stream = builder.stream(text('in'));
    stream
      .toTable({ store: 'rows' })
      .suppress({ until: 'timeLimit', limitMs: 10, as: 'hold' })
      .toStream()
      .to(text('out'));
    stream.peek((_key, value) => {
      if (value === 'bad') throw new Error('no');
    });
    using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
    const input = driver.inputTopic(text('in'));
    input.pipeInput('a', 'x', 0);
    input.pipeInput('b', 'bad', 50);
    expect(driver.outputTopic(text('out')).isEmpty).toBe(true);
    input.pipeInput('c', 'y', 9);
    expect(driver.outputTopic(text('out')).isEmpty).toBe(true);
    input.pipeInput('c', 'z', 10);
    expect(driver.outputTopic(text('out')).readKeyValues()).toEqual([['a', 'x']]);
  });
});

test('what cannot be is refused while it is built, with the cure', () => {
  const tableOf = (
    options: { store?: string; versionedMs?: number } = {},
    semantics: 'strict' | 'kafka-streams' = 'strict',
  ) => new StreamsBuilder({ semantics }).table(text('in'), options);
  const limit = { until: 'timeLimit', limitMs: 1 } as const;
  expect(() => tableOf({ store: 'rows' }).suppress(limit)).toThrow(UnnamedOperatorError);
  expect(() => tableOf({ store: 'rows', versionedMs: 5 }).suppress({ ...limit, as: 'hold' })).toThrow(/versioned/);
  expect(() => tableOf({ store: 'rows' }).suppress({ ...limit, as: 'hold', limitMs: -1 })).toThrow(
    InvalidArgumentError,
  );
  expect(() => tableOf({ store: 'rows' }).suppress({ ...limit, as: 'hold', maxRecords: 0.5 })).toThrow(
    /maxRecords is 0.5/,
  );
  const mapped = tableOf({ store: 'rows' }).mapValues((value) => value.length);
  expect(() => mapped.suppress({ ...limit, as: 'hold' })).toThrow(MissingSerdeError);
  const keyed = new StreamsBuilder().table(
    { name: 'w', keySerde: WindowedSerdes.timeWindowed(Serdes.string, 10), valueSerde: Serdes.string },
    { store: 'rows' },
  );
  expect(() => keyed.suppress({ until: 'windowClose', as: 'final' })).toThrow(TopologyError);
});
