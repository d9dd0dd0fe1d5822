import { expect, test } from 'vitest';
import { Serdes, SessionWindows, StreamsBuilder, TimeWindows, TopologyTestDriver, WindowedSerdes } from '../index.ts';

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
