import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  Serdes,
  SessionWindows,
  SlidingWindows,
  StreamsBuilder,
  TimeWindows,
  TopologyTestDriver,
  WindowedSerdes,
} from '../index.ts';
import { sent, WindowedRun } from '../test/windowed-run.ts';

const numbers = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.integer });
const byWindow = { keySerde: WindowedSerdes.timeWindowed(Serdes.string, 10), valueSerde: Serdes.string };

test('windowed tables are joined by key and window, with rows of each looked up in its window store', () => {
  const builder = new StreamsBuilder();
  const windowed = (name: string) =>
    builder.stream(numbers(name)).groupByKey().windowedBy(TimeWindows.ofSizeAndGrace(10, 100));
  const sold = windowed('sold').count({ store: 'sold-by-window' });
  const paid = windowed('paid').reduce((sum, value) => sum + value, { store: 'paid-by-window' });
  sold
    .join(paid, (count, sum) => `${count}/${sum}`)
    .toStream()
    .to({ name: 'out', ...byWindow });
  using driver = new TopologyTestDriver(builder.build());
  driver.inputTopic(numbers('sold')).pipeInput('a', 1, 5);
  driver.inputTopic(numbers('paid')).pipeInput('a', 9, 12);
  driver.crash();
  driver.inputTopic(numbers('paid')).pipeInput('a', 7, 3);
  driver.inputTopic(numbers('sold')).pipeInput('a', 1, 13);
  driver.inputTopic(numbers('sold')).pipeInput('a', 1, 9);
  const rows = driver.outputTopic({ name: 'out', ...byWindow }).readRecords();
  expect(rows.map(({ key, value, timestamp }) => [key?.window.startMs, value, timestamp])).toEqual([
    [0, '1/7', 5],
    [10, '1/9', 13],
    [0, '2/7', 9],
  ]);
});

test('a session table is filtered, mapped, kept and looked up by its windowed key', () => {
  const builder = new StreamsBuilder();
  const sessions = builder
    .stream(numbers('in'))
    .groupByKey()
    .windowedBy(SessionWindows.ofInactivityGapAndGrace(5, 100))
    .count({ store: 'counts' });
  const many = sessions
    .filter((_session, count) => count > 1n)
    .mapValues((count, { key, window }) => `${key} ${window.endMs - window.startMs}: ${count}`, {
      store: 'texts',
      valueSerde: Serdes.string,
    });
  many
    .leftJoin(sessions, (text, count) => `${text} of ${count}`)
    .toStream()
    .to({ name: 'out', ...sessionKeys });
  using driver = new TopologyTestDriver(builder.build());
  for (const at of [1, 4, 9]) {
    driver.inputTopic(numbers('in')).pipeInput('a', 1, at);
    driver.crash();
  }
  const rows = driver.outputTopic({ name: 'out', ...sessionKeys }).readKeyValues();
  const last = new Map(rows.map(([session, value]) => [JSON.stringify(session?.window), value]));
  expect(Object.fromEntries(last)).toEqual({
    '{"startMs":1,"endMs":4}': null,
    '{"startMs":1,"endMs":9}': 'a 8: 3 of 3',
  });
  expect(driver.getTimestampedKeyValueStore('texts').all()).toEqual([
    [
      { key: 'a', window: { startMs: 1, endMs: 9 } },
      { value: 'a 8: 3', timestamp: 9 },
    ],
  ]);
});

const sessionKeys = { keySerde: WindowedSerdes.sessionWindowed(Serdes.string), valueSerde: Serdes.string };

test.each(['hopping', 'sliding', 'session'] as const)(
  'a table grouped from %s counts holds what they add up to',
  (kind) => {
    const topology = () => {
      const builder = new StreamsBuilder();
      const grouped = builder.stream(numbers('in')).groupByKey();
      const counts =
        kind === 'session'
          ? grouped.windowedBy(SessionWindows.ofInactivityGapAndGrace(5, 1000)).count({ store: 'counts' })
          : kind === 'hopping'
            ? grouped.windowedBy(TimeWindows.ofSizeAndGrace(10, 1000).advanceBy(4)).count({ store: 'counts' })
            : grouped.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(7, 1000)).count({ store: 'counts' });
      counts
        .groupBy(({ key }, count) => [key, count] as const, {
          as: 'by-key',
          keySerde: Serdes.string,
          valueSerde: Serdes.long,
        })
        .reduce(
          (sum, count) => sum + count,
          (sum, count) => sum - count,
          { store: 'totals' },
        );
      return builder.build();
    };
    const keySerde = WindowedSerdes.sessionWindowed(Serdes.string); // nothing is written
    fc.assert(
      fc.property(fc.array(sent(40), { maxLength: 20 }), (records) => {
        using run = new WindowedRun(topology(), keySerde, records);
        const totals = new Map<string, bigint>();
        const add = (key: string, count: bigint) => totals.set(key, (totals.get(key) ?? 0n) + count);
        if (kind === 'session') {
          for (const [{ key }, count] of run.driver.getSessionStore<string, bigint>('counts').all()) add(key, count);
        } else {
          const windows = run.driver.getTimestampedWindowStore<string, bigint>('counts').all();
          for (const [{ key }, { value }] of windows) add(key, value);
        }
        const kept = [...run.driver.getTimestampedKeyValueStore<string, bigint>('totals').all()];
        expect(new Map(kept.map(([key, { value }]) => [key, value]))).toEqual(totals);
      }),
      { numRuns: 60 },
    );
  },
);
