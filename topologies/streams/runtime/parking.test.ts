import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type DriverOptions,
  JoinWindows,
  Serdes,
  StreamsBuilder,
  TimeWindows,
  type Topology,
  TopologyTestDriver,
} from '../index.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import type { TaskStorage } from '../state/state-store.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const redrives = text('test-0-redrive');

/** What it holds is refused, until it is mended. */
const refusing = (refused: Set<string>) => {
  const refuse = (_key: string, value: string): void => {
    if (refused.has(value)) throw new Error(`${value} is refused`);
  };
  const builder = new StreamsBuilder();
  builder
    .stream(text('left'))
    .merge(builder.stream(text('right')))
    .scan((all, value) => `${all}${value}`, '', { store: 'all', valueSerde: Serdes.string })
    .peek((key, all) => refuse(key, all.slice(-1)), { as: 'refusing' })
    .to(text('out'));
  return builder.build();
};

const driven = (topology: Topology, options: DriverOptions = {}) =>
  new TopologyTestDriver(topology, { onFailure: 'dead-letter', parkDeadLetters: true, ...options });
const redrive = (driver: TopologyTestDriver, key: string, leftOut: string | null = null): void =>
  driver.inputTopic(redrives).pipeInput(key, leftOut);
const headersOf = (driver: TopologyTestDriver, topic: string, index = 0) =>
  Object.fromEntries(
    (driver.broker.records(topic)[index]?.headers ?? []).map(([name, value]) => [name, Buffer.from(value).toString()]),
  );
const reasons = (driver: TopologyTestDriver): readonly string[] => driver.drops.map(({ reason }) => reason);

describe('a dead letter parks its key', () => {
  test('on all inputs of its task, until it is redriven; other keys go on, and the sources get nothing', () => {
    const refused = new Set(['b']);
    using driver = driven(refusing(refused));
    const [left, right] = [driver.inputTopic(text('left')), driver.inputTopic(text('right'))];
    left.pipeInput('k', 'a', 1);
    left.pipeInput('k', 'b', 2);
    right.pipeInput('k', 'c', 3);
    right.pipeInput('other', 'x', 4);
    left.pipeInput('k', 'd', 5);
    const out = driver.outputTopic(text('out'));
    expect(out.readValues()).toEqual(['a', 'x']);
    expect(reasons(driver)).toEqual(['failed', 'parked', 'parked']);
    expect(headersOf(driver, 'left.dlq')).toMatchObject({ application: 'test', task: '0_0', 'origin-offset': '1' });

    redrive(driver, 'k'); // not mended: it is a letter again, and all stay parked
    expect(out.readValues()).toEqual([]);
    expect(driver.broker.records('left.dlq')).toHaveLength(2);

    refused.clear();
    driver.crash();
    redrive(driver, 'other');
    expect(out.readValues()).toEqual([]);
    redrive(driver, 'k');
    expect(out.readRecords().map(({ value, timestamp }) => [value, timestamp])).toEqual([
      ['ab', 2],
      ['abc', 3],
      ['abcd', 5],
    ]);
    right.pipeInput('k', 'e', 6);
    expect(out.readValues()).toEqual(['abcde']);
    expect(['left', 'right'].map((topic) => driver.broker.records(topic).length)).toEqual([3, 3]);
  });

  test('what fails anew parks the rest anew', () => {
    const refused = new Set(['a', 'c']);
    using driver = driven(refusing(refused));
    for (const value of ['a', 'b', 'c', 'd']) driver.inputTopic(text('left')).pipeInput('k', value);
    refused.delete('a');
    redrive(driver, 'k');
    const out = driver.outputTopic(text('out'));
    expect(out.readValues()).toEqual(['a', 'ab']);
    expect(driver.broker.records('left.dlq').map(({ value }) => String.fromCharCode(...(value ?? [])))).toEqual([
      'a',
      'c',
    ]);
    driver.inputTopic(text('left')).pipeInput('k', 'e');
    refused.clear();
    redrive(driver, 'k');
    expect(out.readValues()).toEqual(['abc', 'abcd', 'abcde']);
  });

  test('a record that can never be processed is named by a redrive, and left out for good', () => {
    using driver = driven(refusing(new Set(['b'])));
    for (const value of ['a', 'b', 'c']) driver.inputTopic(text('left')).pipeInput('k', value);
    redrive(driver, 'k', 'left-0@2'); // not the one in the way
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['a']);
    redrive(driver, 'k', 'left-0@1');
    driver.crash();
    driver.inputTopic(text('left')).pipeInput('k', 'd');
    const read = driver.broker.records('out').map(({ value }) => String.fromCharCode(...(value ?? [])));
    expect(read).toEqual(['a', 'ac', 'acd']);
  });

  test('what cannot be read parks its key too, but not a key that cannot be read, nor none', () => {
    const topic = { name: 'in', keySerde: Serdes.integer, valueSerde: Serdes.integer };
    const builder = new StreamsBuilder();
    builder.stream(topic, { nullKeys: 'dead-letter' }).to({ ...topic, name: 'out' });
    using driver = driven(builder.build());
    const input = driver.inputTopic(topic);
    const [one, two] = [Serdes.integer.serialize('in', 1), Uint8Array.of(9)];
    input.sendBytes(one, two); // no integer
    input.pipeInput(1, 7);
    for (const key of [null, two]) {
      input.sendBytes(key, one);
      input.sendBytes(key, one);
    }
    driver.run();
    expect(reasons(driver)).toEqual(['malformed', 'parked', 'null-key', 'null-key', 'malformed', 'malformed']);
    driver.inputTopic({ ...redrives, keySerde: Serdes.integer }).pipeInput(1, 'in-0@0');
    expect(driver.outputTopic({ ...topic, name: 'out' }).readValues()).toEqual([7]);
  });

  test('a redrive stops no task, whatever handlers say; a broken rule of the engine does', () => {
    let answer: 'dead-letter' | 'fail' = 'dead-letter';
    using driver = driven(refusing(new Set(['a'])), { onFailure: () => answer });
    driver.inputTopic(text('left')).pipeInput('k', 'a');
    answer = 'fail';
    redrive(driver, 'k');
    expect(driver.broker.records('left.dlq')).toHaveLength(2);
    expect(() => driver.inputTopic(text('left')).pipeInput('other', 'a')).toThrow(/task 0_0 failed/);
  });
});

test('without parkDeadLetters nothing is parked, and no topic is made for it', () => {
  using driver = driven(refusing(new Set(['a'])), { parkDeadLetters: false });
  for (const value of ['a', 'b']) driver.inputTopic(text('left')).pipeInput('k', value);
  expect(driver.outputTopic(text('out')).readValues()).toEqual(['b']);
  expect(driver.broker.topics.filter((topic) => /parked|redrive/.test(topic))).toEqual([]);
});

test('redrives are as many as the sub-topology is wide, and move no time', () => {
  const builder = new StreamsBuilder();
  builder
    .stream(text('in'))
    .groupByKey()
    .windowedBy(TimeWindows.ofSizeWithNoGrace(10))
    .count({ store: 'counts' })
    .toStream()
    .map((key, count) => [key.key, String(count)])
    .to(text('out'));
  using driver = driven(builder.build(), { partitions: 3 });
  expect(driver.broker.partitionsOf('test-0-redrive')).toBe(3);
  expect(driver.broker.partitionsOf('test-0-parked-changelog')).toBe(3);
  driver.inputTopic(text('in')).pipeInput('k', 'v', 5);
  driver.inputTopic(redrives).pipeInput('k', null, 1_000_000);
  driver.inputTopic(text('in')).pipeInput('k', 'v', 6);
  expect(driver.outputTopic(text('out')).readValues()).toEqual(['1', '2']);
});

test('a redriven record stands in the window of a join that is read again from its source', () => {
  const refused = new Set(['a']);
  const builder = new StreamsBuilder();
  const left = builder.stream(text('left'));
  left.peek((_key, value) => {
    if (refused.has(value)) throw new Error('refused');
  });
  const windows = JoinWindows.ofTimeDifferenceWithNoGrace(10);
  left.join(builder.stream(text('right')), (a, b) => `${a}${b}`, windows, { as: 'both' }).to(text('out'));
  using driver = driven(builder.build());
  driver.inputTopic(text('left')).pipeInput('k', 'a', 0);
  driver.inputTopic(text('left')).pipeInput('k', 'b', 1);
  driver.crash();
  driver.inputTopic(text('right')).pipeInput('other', 'x', 2);
  refused.clear();
  redrive(driver, 'k');
  driver.crash();
  driver.inputTopic(text('right')).pipeInput('k', 'z', 3);
  expect(driver.outputTopic(text('out')).readValues()).toEqual(['az', 'bz']);
});

test('a call that was rejected is made again for a redriven record, and no answer is taken for another', async () => {
  let away = true;
  const builder = new StreamsBuilder();
  builder
    .stream(text('in'))
    .mapAsync(
      async (value) => {
        if (away && value === 'a') throw new Error('away');
        return `${value}!`;
      },
      { as: 'ask', maxInFlight: 2 },
    )
    .to(text('out'));
  using driver = driven(builder.build());
  const input = driver.inputTopic(text('in'));
  for (const value of ['a', 'b']) input.send('k', value);
  await driver.settle();
  away = false;
  driver.inputTopic(redrives).send('k', null);
  for (const value of ['c', 'd']) input.send('other', value);
  await driver.settle();
  await driver.settle();
  const out = driver.outputTopic(text('out')).readKeyValues();
  expect(out.filter(([key]) => key === 'k')).toEqual([
    ['k', 'a!'],
    ['k', 'b!'],
  ]);
  expect(out.filter(([key]) => key === 'other')).toEqual([
    ['other', 'c!'],
    ['other', 'd!'],
  ]);
});

test('however records fail, are mended and redriven, and whenever the task crashes, each key has the sequence of a run without trouble', () => {
  const keys = ['k', 'l', 'm'];
  const values = ['a', 'b', 'c', 'd'];
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        send: fc.constantFrom('left', 'right'),
        key: fc.constantFrom(...keys),
        value: fc.constantFrom(...values),
      }),
    },
    { weight: 2, arbitrary: fc.record({ toggle: fc.constantFrom(...values) }) },
    { weight: 2, arbitrary: fc.record({ redrive: fc.constantFrom(...keys) }) },
    { weight: 2, arbitrary: fc.record({ crash: fc.constantFrom('now', 'before-commit', 'after-commit') }) },
  );
  const outOf = (driver: TopologyTestDriver) =>
    Object.groupBy(
      driver.broker
        .records('out')
        .map(({ key, value }) => [key, value].map((bytes) => String.fromCharCode(...(bytes ?? []))).join(': ')),
      (line) => line.split(':')[0] ?? '',
    );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), fc.boolean(), (steps, slices, keepsDisk) => {
      const refused = new Set<string>();
      const disks = new Map<string, TaskStorage>();
      const storage = (_application: string, task: string): TaskStorage => {
        const there = disks.get(task) ?? new MemoryStorage();
        if (keepsDisk) disks.set(task, there);
        return there;
      };
      using driver = driven(refusing(refused), { storage, recordsPerCommit: slices ? 4 : 1, partitions: 2 });
      using quiet = driven(refusing(new Set()), { partitions: 2 });
      let now = 0;
      for (const one of steps) {
        if ('send' in one) {
          now += 1;
          driver.inputTopic(text(one.send)).send(one.key, one.value, now);
          quiet.inputTopic(text(one.send)).pipeInput(one.key, one.value, now);
        } else if ('toggle' in one) {
          if (!refused.delete(one.toggle)) refused.add(one.toggle);
        } else if ('redrive' in one) driver.inputTopic(redrives).send(one.redrive, null, now);
        else driver.crash(one.crash === 'now' ? undefined : (one.crash as 'before-commit'));
        // Only what lies in one input waits, so that the order over both inputs is the same in both runs.
        if (!('redrive' in one)) driver.run();
      }
      refused.clear();
      driver.run();
      for (const key of keys) redrive(driver, key);
      expect(outOf(driver)).toEqual(outOf(quiet));
    }),
    { numRuns: 150 },
  );
}, 60_000);
