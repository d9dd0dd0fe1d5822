import { expect, test } from 'vitest';
import { Serdes, StreamsBuilder, TimeWindows, TopologyTestDriver, WindowedSerdes } from '../index.ts';
import { partitionForKey } from '../kafka/partitioner.ts';

const numbers = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.integer });

test('the bytes are those of TimeWindowedSerializer and SessionWindowedSerializer', () => {
  const windowed = { key: 'k', window: { startMs: 258, endMs: 2 ** 33 } };
  const start = [0, 0, 0, 0, 0, 0, 1, 2];
  const end = [0, 0, 0, 2, 0, 0, 0, 0];
  const k = 'k'.charCodeAt(0);
  const time = WindowedSerdes.timeWindowed(Serdes.string, 2 ** 33 - 258);
  const session = WindowedSerdes.sessionWindowed(Serdes.string);
  expect([...time.serialize('t', windowed)]).toEqual([k, ...start]);
  expect([...session.serialize('t', windowed)]).toEqual([k, ...end, ...start]);
  for (const serde of [time, session]) {
    expect(serde.deserialize('t', serde.serialize('t', windowed))).toEqual(windowed);
    expect(() => serde.deserialize('t', Uint8Array.of(1, 2))).toThrow(/t: 2 bytes are no windowed key/);
  }
});

test('all windows of a key go to its partition, so that they can be joined with it', () => {
  const builder = new StreamsBuilder();
  const counts = builder
    .stream(numbers('in'))
    .groupByKey()
    .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
    .count({ store: 'counts' })
    .toStream();
  counts.to('out');
  counts
    .map((key, count) => [key, count] as const)
    .repartition({
      as: 'again',
      keySerde: WindowedSerdes.timeWindowed(Serdes.string, 10),
      valueSerde: Serdes.long,
    });
  using driver = new TopologyTestDriver(builder.build(), { partitions: 7 });
  for (let at = 0; at < 100; at += 5) driver.inputTopic(numbers('in')).pipeInput(`k${at % 3}`, 1, at);
  for (const topic of ['out', 'test-again-repartition']) {
    const records = driver.broker.records(topic);
    expect(records).toHaveLength(20);
    for (const { key, partition } of records) expect(partition).toBe(partitionForKey(key?.subarray(0, -8) ?? null, 7));
  }
});
