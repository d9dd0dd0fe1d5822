import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  type Failure,
  JoinWindows,
  type KeyValueStore,
  type ProcessorContext,
  Serdes,
  Stores,
  StreamsBuilder,
  TopologyTestDriver,
} from '../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const counts = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.long });
const refuse = (_key: string, value: string): void => {
  if (value.startsWith('bad')) throw new Error(`${value} is refused`);
};

/** All kinds of state, outputs and internal topics in one task; a bad record has been through all of them when it fails. */
function everything(options: { readonly punctuators: boolean }) {
  const builder = new StreamsBuilder();
  for (const name of ['first', 'second'])
    builder.addStateStore(Stores.keyValue({ name, keySerde: Serdes.string, valueSerde: Serdes.string }));
  const left = builder.stream(text('left'));
  const right = builder.stream(text('right'));
  const windows = JoinWindows.ofTimeDifferenceAndGrace(10, 5);
  left.outerJoin(right, (a, b) => `${a}+${b}`, windows, { as: 'joined' }).to(text('joined-out'));
  left.groupByKey().count({ store: 'counts' }).toStream().to(counts('counts-out'));
  left.toTable({ store: 'rows' }).toStream().to(text('rows-out'));
  left.bufferCount(2, { store: 'pairs' }).to('pairs-out', { valueSerde: Serdes.json<readonly string[]>() });
  left
    .selectKey((_key, value) => value.slice(0, 1))
    .groupByKey({ as: 'by-letter', keySerde: Serdes.string })
    .count({ store: 'letters' })
    .toStream()
    .to(counts('letters-out'));
  left
    .process<string, string>(
      () => {
        let context: ProcessorContext<string, string>;
        let stores: readonly KeyValueStore<string, string>[];
        return {
          init(given) {
            context = given;
            stores = [given.getStateStore('first'), given.getStateStore('second')];
            if (!options.punctuators) return;
            given.schedule(20, 'stream-time', (now) => {
              for (const [key, value] of stores[0]?.all() ?? []) given.forward({ key, value: `${value}@${now}` });
            });
          },
          process({ key, value }) {
            for (const store of stores) store.put(key, `${store.get(key) ?? ''}${value}`);
            stores[1]?.delete('a');
            context.forward({ key, value: [...(stores[1]?.all() ?? [])].join() });
          },
        };
      },
      { as: 'two', stores: ['first', 'second'] },
    )
    .to(text('two-out'));
  left.peek(refuse, { as: 'refusing' });
  right.peek(refuse, { as: 'refusing-too' });
  return builder.build();
}

interface Given {
  readonly topic: 'left' | 'right';
  readonly key: string;
  readonly value: string;
  readonly time: number;
  readonly crash: 'crash' | 'before-commit' | 'after-commit' | null;
}

/** What stands on every topic afterwards but the inputs and dead letters, byte by byte. */
function logsAfter(
  given: readonly Given[],
  options: { readonly punctuators: boolean; readonly crashes: boolean },
): Readonly<Record<string, unknown>> {
  using driver = new TopologyTestDriver(everything(options), { onFailure: 'dead-letter' });
  for (const { topic, key, value, time, crash } of given) {
    driver.inputTopic(text(topic)).send(key, value, time);
    if (options.crashes && crash !== null) driver.crash(crash === 'crash' ? undefined : crash);
    driver.run();
  }
  const topics = driver.broker.topics.filter((name) => name !== 'left' && name !== 'right' && !name.endsWith('.dlq'));
  const letters = ['left.dlq', 'right.dlq'].map((name) => driver.broker.records(name).length);
  expect(letters).toEqual(
    ['left', 'right'].map((topic) => given.filter((one) => isBad(one) && one.topic === topic).length),
  );
  return Object.fromEntries(
    topics.map((name) => [
      name,
      driver.broker.records(name).map(({ key, value, timestamp }) => [String(key), String(value), timestamp]),
    ]),
  );
}
const isBad = ({ value }: Given): boolean => value.startsWith('bad');

test('a record that fails leaves nothing in any store, output, internal topic, window or waiting room', () => {
  const one = fc.record({
    topic: fc.constantFrom('left' as const, 'right' as const),
    key: fc.constantFrom('a', 'b'),
    value: fc.constantFrom('x', 'y', 'z', 'bad', 'bad too'),
    time: fc.integer({ min: 0, max: 60 }),
    crash: fc.constantFrom(null, 'crash' as const, 'before-commit' as const, 'after-commit' as const),
  });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 25 }), (given) => {
      // Time goes on with every record, also with one that fails: here no bad record is ahead of the good ones.
      let newest = 0;
      const records = given.map((record) => {
        if (isBad(record)) return { ...record, time: Math.min(record.time, newest) };
        newest = Math.max(newest, record.time);
        return record;
      });
      const first: Given = { topic: 'left', key: 'a', value: 'x', time: 0, crash: null };
      const all = [first, ...records];
      const good = all.filter((record) => !isBad(record));
      const noCrash = { punctuators: true, crashes: false };
      expect(logsAfter(all, noCrash)).toEqual(logsAfter(good, noCrash));
      // After a start a punctuator by stream time fires with the first record, as in Kafka Streams; all else is as if nothing had been.
      const crashes = { punctuators: false, crashes: true };
      expect(logsAfter(all, crashes)).toEqual(logsAfter(good, { ...crashes, crashes: false }));
    }),
    { numRuns: 50 },
  );
}, 30_000);

test.each([null, 'crash'] as const)('a failed record that was ahead of time ages no window of a join (%s)', (crash) => {
  const builder = new StreamsBuilder({ semantics: 'kafka-streams' }); // there each store forgets by its own time
  const left = builder.stream(text('left'));
  const windows = JoinWindows.ofTimeDifferenceWithNoGrace(10);
  left.join(builder.stream(text('right')), (a, b) => `${a}${b}`, windows, { as: 'both' }).to(text('out'));
  left.peek(refuse);
  using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
  driver.inputTopic(text('left')).pipeInput('k', 'a', 0);
  driver.inputTopic(text('left')).pipeInput('k', 'bad', 1_000);
  if (crash !== null) driver.crash();
  driver.inputTopic(text('right')).pipeInput('k', 'b', 5);
  expect(driver.outputTopic(text('out')).readValues()).toEqual(['ab']);
});

describe('behind a repartition topic', () => {
  const topology = () => {
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .selectKey((_key, value) => value.slice(-1))
      .repartition({ as: 'moved', keySerde: Serdes.string })
      .scan((all, value) => `${all}${value}`, '', { store: 'all', valueSerde: Serdes.string })
      .peek((_key, value) => refuse('', value.slice(-4)))
      .to(text('out'));
    return builder.build();
  };

  test('a record is a dead letter of that topic, and what had sent it stands', () => {
    using driver = new TopologyTestDriver(topology(), { onFailure: 'dead-letter', partitions: 2 });
    for (const value of ['a', 'bada', 'c', 'a']) driver.inputTopic(text('in')).pipeInput('k', value, 7);
    const out = driver.outputTopic(text('out')).readKeyValues();
    expect(out.filter(([key]) => key === 'a')).toEqual([
      ['a', 'a'],
      ['a', 'aa'],
    ]);
    const [letter] = driver.outputTopic(text('test-moved-repartition.dlq')).readRecords();
    expect(letter).toMatchObject({ key: 'a', value: 'bada', timestamp: 7 });
    expect(driver.broker.records('in.dlq')).toEqual([]);
  });

  test('bytes that cannot be read there stop the task: nobody else writes them', () => {
    using driver = new TopologyTestDriver(topology(), { onFailure: 'dead-letter', onMalformed: 'dead-letter' });
    const bad = { topic: 'test-moved-repartition', partition: 0, timestamp: 0, key: Buffer.from('k'), headers: [] };
    driver.broker.append([{ ...bad, value: Uint8Array.of(0xff) }]);
    expect(() => driver.run()).toThrow(/task 1_0 failed at test-moved-repartition-0@0/);
  });
});

describe('onFailure as a function', () => {
  const topology = () => {
    const builder = new StreamsBuilder();
    builder.stream(text('in')).peek(refuse, { as: 'refusing' }).to(text('out'));
    return builder.build();
  };

  test('is asked with the node, the error and the record as it came', () => {
    const onFailure = vi.fn<(failure: Failure) => 'continue'>(() => 'continue');
    using driver = new TopologyTestDriver(topology(), { onFailure, applicationId: 'app' });
    driver.inputTopic(text('in')).pipeInput('k', 'bad', 9);
    driver.inputTopic(text('in')).pipeInput('k', 'good');
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['good']);
    expect(driver.broker.records('in.dlq')).toEqual([]);
    expect(driver.drops).toMatchObject([{ node: 'refusing', reason: 'failed' }]);
    expect(onFailure.mock.calls).toEqual([
      [
        {
          applicationId: 'app',
          taskId: '0_0',
          node: 'refusing',
          error: new Error('bad is refused'),
          record: expect.objectContaining({ topic: 'in', partition: 0, offset: 0, timestamp: 9 }),
        },
      ],
    ]);
  });

  test('decides for each record', () => {
    const onFailure = ({ record }: Failure) => (record.value?.length === 9 ? 'fail' : 'dead-letter'); // bad worse
    using driver = new TopologyTestDriver(topology(), { onFailure });
    driver.inputTopic(text('in')).pipeInput('k', 'bad');
    expect(driver.broker.records('in.dlq')).toHaveLength(1);
    expect(() => driver.inputTopic(text('in')).pipeInput('k', 'bad worse')).toThrow(/in-0@1.*bad worse is refused/);
  });

  test('what it throws itself stops the task, with both errors', () => {
    const onFailure = (): never => {
      throw new Error('no answer');
    };
    using driver = new TopologyTestDriver(topology(), { onFailure });
    const errors: unknown[] = [];
    try {
      driver.inputTopic(text('in')).pipeInput('k', 'bad');
    } catch (error) {
      errors.push(error);
    }
    expect(errors).toMatchObject([
      {
        code: 'TASK_FAILED',
        offset: 0,
        message: expect.stringContaining('onFailure threw while it was asked about: refusing: bad is refused'),
        cause: { errors: [{ message: 'no answer' }, { code: 'NODE', node: 'refusing' }] },
      },
    ]);
  });
});

describe('a punctuator that fails has no record, so nothing since the last commit stands', () => {
  const ticking = (type: 'stream-time' | 'wall-clock-time', tick: () => void) => {
    const builder = new StreamsBuilder();
    builder.addStateStore(Stores.keyValue({ name: 'ticks', keySerde: Serdes.string, valueSerde: Serdes.string }));
    builder
      .stream(text('in'))
      .process<string, string>(
        () => {
          let context: ProcessorContext<string, string>;
          return {
            init(given) {
              context = given;
              const ticks: KeyValueStore<string, string> = given.getStateStore('ticks');
              given.schedule(10, type, () => {
                ticks.put('n', 'ticked');
                context.forward({ key: 'n', value: 'ticked' });
                tick();
              });
            },
            process: ({ key, value }) => context.forward({ key, value }),
          };
        },
        { as: 'ticking', stores: ['ticks'] },
      )
      .to(text('out'));
    return builder.build();
  };

  test.each(['stream-time', 'wall-clock-time'] as const)('by %s', (type) => {
    let broken = true;
    const tick = (): void => {
      if (broken) throw new Error('no tick');
    };
    using driver = new TopologyTestDriver(ticking(type, tick), { onFailure: 'dead-letter' });
    driver.inputTopic(text('in')).send('k', 'v', 5);
    expect(() => {
      driver.advanceWallClock(10);
      driver.run();
    }).toThrow(/task 0_0 failed outside a record: ticking: no tick/);
    expect(driver.broker.records('out')).toEqual([]);
    expect(driver.broker.records('test-ticks-changelog')).toEqual([]);
    expect(driver.broker.records('in.dlq')).toEqual([]);
    broken = false;
    driver.crash();
    driver.advanceWallClock(10);
    expect([...driver.outputTopic(text('out')).readValues()].sort()).toEqual(['ticked', 'v']);
  });
});
