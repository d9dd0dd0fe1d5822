import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  type CallContext,
  CallTimeoutError,
  type KStream,
  type MapAsyncOptions,
  Serdes,
  StreamsBuilder,
  TopologyTestDriver,
} from '../../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const counts = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.long });

interface Asked {
  readonly value: string;
  readonly context: CallContext;
  answer(value: string): void;
  refuse(error: Error): void;
}

/** A service whose answers the test gives by hand, by the value that was asked for. */
class Service {
  readonly asked: Asked[] = [];

  readonly ask = (value: string, _key: string, context: CallContext): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.asked.push({ value, context, answer: resolve, refuse: reject });
    return promise;
  };

  get values(): readonly string[] {
    return this.asked.map(({ value }) => value);
  }

  /** The last call for this value. */
  of(value: string): Asked {
    const asked = this.asked.findLast((one) => one.value === value);
    if (asked === undefined) throw new Error(`nobody has asked for ${value}`);
    return asked;
  }
}

const asking = (service: Service, options: Partial<MapAsyncOptions<string, string>> = {}) => {
  const builder = new StreamsBuilder();
  const answers = builder
    .stream(text('in'))
    .mapAsync((value, key, context) => service.ask(value, key, context), { as: 'ask', maxInFlight: 3, ...options });
  expectTypeOf(answers).toEqualTypeOf<KStream<string, string>>();
  answers.to(text('out'));
  answers.groupByKey({ valueSerde: Serdes.string }).count({ store: 'counts' }).toStream().to(counts('counts-out'));
  return builder.build();
};
const put = (driver: TopologyTestDriver, ...values: string[]): void => {
  for (const value of values) driver.inputTopic(text('in')).pipeInput('k', value);
};
const out = (driver: TopologyTestDriver) => driver.outputTopic(text('out')).readValues();
const committed = (driver: TopologyTestDriver, topic = 'in') =>
  driver.broker.committed('test', [{ topic, partition: 0 }])[0]?.offset ?? 0;

describe('mapAsync', () => {
  test('sends answers on in the order of the records, with the time and headers of each', async () => {
    const service = new Service();
    using driver = new TopologyTestDriver(asking(service));
    const input = driver.inputTopic(text('in'));
    input.pipeInput('k', 'a', 50);
    input.pipeInput('k', 'b', 10);
    driver.broker.append([
      {
        topic: 'in',
        partition: 0,
        timestamp: 70,
        key: Buffer.from('k'),
        value: Buffer.from('c'),
        headers: [['trace', Buffer.from('t')]],
      },
    ]);
    driver.run();
    service.of('c').answer('C');
    service.of('b').answer('B');
    await driver.takeAnswers();
    expect(driver.outputTopic(text('out')).isEmpty).toBe(true);
    expect(committed(driver)).toBe(0);
    service.of('a').answer('A');
    await driver.settle();
    const records = driver.outputTopic(text('out')).readRecords();
    expect(records.map(({ value, timestamp }) => [value, timestamp])).toEqual([
      ['A', 50],
      ['B', 10],
      ['C', 70],
    ]);
    expect(records[2]?.headers).toEqual([['trace', Buffer.from('t')]]);
    expect(service.of('c').context).toMatchObject({ topic: 'in', partition: 0, offset: 2 });
    expect(committed(driver)).toBe(3);
  });

  test('commits what is before the first record that waits, and nothing behind it', async () => {
    const service = new Service();
    using driver = new TopologyTestDriver(asking(service));
    put(driver, 'a', 'b', 'c');
    service.of('a').answer('A');
    service.of('c').answer('C');
    await driver.takeAnswers();
    expect(out(driver)).toEqual(['A']);
    expect(committed(driver)).toBe(1);
  });

  test('asks for no more than its bound at a time; a slow first answer holds it', async () => {
    const service = new Service();
    using driver = new TopologyTestDriver(asking(service, { maxInFlight: 2 }));
    put(driver, 'a', 'b', 'c', 'd');
    expect(service.values).toEqual(['a', 'b']);
    expect(driver.callsInFlight).toBe(2);
    service.of('b').answer('B');
    await driver.takeAnswers();
    expect(service.values).toEqual(['a', 'b']);
    service.of('a').answer('A');
    await driver.takeAnswers();
    expect(service.values).toEqual(['a', 'b', 'c', 'd']);
  });

  test('stream time comes with the record, not with the call', async () => {
    const service = new Service();
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .mapAsync(service.ask, { as: 'ask', maxInFlight: 4 })
      .process<string, string>(() => {
        let time: () => number = () => 0;
        let send: (value: string) => void = () => {};
        return {
          init(context) {
            time = () => context.currentStreamTimeMs();
            send = (value) => context.forward({ key: 'k', value });
          },
          process: ({ value }) => send(`${value}@${time()}`),
        };
      })
      .to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    for (const [value, time] of [
      ['a', 10],
      ['b', 900],
      ['c', 20],
    ] as const)
      driver.inputTopic(text('in')).pipeInput('k', value, time);
    for (const value of ['c', 'b', 'a']) service.of(value).answer(value);
    await driver.settle();
    expect(out(driver)).toEqual(['a@10', 'b@900', 'c@900']);
  });

  test('a rejection goes to the handler with its record; what is thrown before the first await is one', async () => {
    const service = new Service();
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .mapAsync(
        (value, key, context) => {
          if (value === 'c') throw new Error('c is no question');
          return service.ask(value, key, context);
        },
        { as: 'ask', maxInFlight: 8 },
      )
      .to(text('out'));
    using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
    put(driver, 'a', 'b', 'c', 'd');
    service.of('d').answer('D');
    service.of('b').refuse(new Error('b is refused'));
    service.of('a').answer('A');
    await driver.settle();
    expect(out(driver)).toEqual(['A', 'D']);
    const letters = driver.outputTopic(text('in.dlq')).readRecords();
    const cause = (index: number) =>
      Buffer.from(letters[index]?.headers.find(([name]) => name === 'cause')?.[1] ?? []).toString();
    expect(letters.map(({ value }) => value)).toEqual(['b', 'c']);
    expect([cause(0), cause(1)]).toEqual(['ask: b is refused', 'ask: c is no question']);
    expect(driver.drops.map(({ node, record }) => [node, record?.offset])).toEqual([
      ['ask', 1],
      ['ask', 2],
    ]);
  });

  test('without a handler a rejection stops the task at its record', async () => {
    const service = new Service();
    using driver = new TopologyTestDriver(asking(service));
    put(driver, 'a');
    service.of('a').refuse(new Error('no'));
    await expect(driver.settle()).rejects.toThrow(/in-0@0: ask: no/);
  });

  test('a call that takes too long is rejected by the wall clock, and its late answer is not heard', async () => {
    const service = new Service();
    const failures: unknown[] = [];
    const onFailure = ({ error }: { readonly error: unknown }) => {
      failures.push(error);
      return 'dead-letter' as const;
    };
    using driver = new TopologyTestDriver(asking(service, { timeoutMs: 100 }), { onFailure });
    put(driver, 'a');
    driver.advanceWallClock(60);
    put(driver, 'b');
    driver.advanceWallClock(40);
    expect(service.of('a').context.signal.aborted).toBe(true);
    expect(service.of('b').context.signal.aborted).toBe(false);
    expect(failures).toEqual([expect.any(CallTimeoutError)]);
    service.of('a').answer('late');
    service.of('b').answer('B');
    await driver.settle();
    expect(out(driver)).toEqual(['B']);
    expect(driver.outputTopic(text('in.dlq')).readValues()).toEqual(['a']);
  });

  test('records that cannot be read are refused in their turn, and not asked for', async () => {
    const service = new Service();
    using driver = new TopologyTestDriver(asking(service));
    put(driver, 'a');
    driver.inputTopic(text('in')).sendBytes(Buffer.from('k'), Uint8Array.of(0xff));
    put(driver, 'b');
    expect(service.values).toEqual(['a', 'b']);
    expect(driver.broker.records('in.dlq')).toEqual([]);
    service.of('a').answer('A');
    service.of('b').answer('B');
    await driver.settle();
    expect(out(driver)).toEqual(['A', 'B']);
    expect(driver.broker.records('in.dlq')).toHaveLength(1);
  });

  test('a table beside it is read as of the time of the record', async () => {
    const service = new Service();
    const builder = new StreamsBuilder();
    const table = builder.table(text('table'), { store: 'rows' });
    builder
      .stream(text('in'))
      .mapAsync(service.ask, { as: 'ask', maxInFlight: 4 })
      .leftJoin(table, (value, row) => `${value}+${row}`)
      .to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    driver.inputTopic(text('table')).pipeInput('k', 'old', 1);
    driver.inputTopic(text('in')).pipeInput('k', 'a', 10);
    driver.inputTopic(text('table')).pipeInput('k', 'new', 20);
    service.of('a').answer('A');
    await driver.settle();
    expect(out(driver)).toEqual(['A+old']);
    expect(driver.getKeyValueStore('rows').get('k')).toMatchObject({ value: 'new' });
  });

  test('two of them on one stream wait for each other; each keeps its own bound', async () => {
    const [first, second] = [new Service(), new Service()];
    const builder = new StreamsBuilder();
    const stream = builder.stream(text('in'));
    stream.mapAsync(first.ask, { as: 'first', maxInFlight: 1 }).to(text('out'));
    stream.mapAsync(second.ask, { as: 'second', maxInFlight: 2 }).to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    put(driver, 'a', 'b');
    expect([first.values, second.values]).toEqual([['a'], ['a', 'b']]);
    first.of('a').answer('1a');
    await driver.takeAnswers();
    expect(out(driver)).toEqual([]);
    second.of('a').answer('2a');
    await driver.takeAnswers();
    expect(driver.broker.records('out')).toHaveLength(2);
    expect(first.values).toEqual(['a', 'b']);
  });
});

describe('behind anything but a source', () => {
  const behind = (service: Service, options: Partial<MapAsyncOptions<string, string>> = {}) => {
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .filter((_key, value) => value !== 'no')
      .selectKey((_key, value) => value)
      .mapAsync(service.ask, { as: 'ask', maxInFlight: 3, keySerde: Serdes.string, ...options })
      .groupByKey({ valueSerde: Serdes.string })
      .count({ store: 'counts' })
      .toStream()
      .to(counts('out'));
    return builder.build();
  };

  test('the records wait on a topic of its own, by key, and no second one is needed behind it', async () => {
    const service = new Service();
    using driver = new TopologyTestDriver(behind(service), { applicationId: 'app', partitions: 2 });
    put(driver, 'a', 'no', 'b', 'a');
    expect(driver.broker.topics.filter((topic) => topic.endsWith('-repartition'))).toEqual(['app-ask-repartition']);
    for (const asked of service.asked) asked.answer(asked.value);
    await driver.settle();
    expect(new Map(driver.outputTopic(counts('out')).readKeyValues())).toEqual(
      new Map([
        ['a', 2n],
        ['b', 1n],
      ]),
    );
    expect(service.of('a').context.topic).toBe('app-ask-repartition');
  });

  test('a rejected record is a dead letter of that topic', async () => {
    const service = new Service();
    using driver = new TopologyTestDriver(behind(service), { onFailure: 'dead-letter' });
    put(driver, 'a', 'b');
    service.of('a').refuse(new Error('no'));
    service.of('b').answer('b');
    await driver.settle();
    expect(driver.outputTopic(text('test-ask-repartition.dlq')).readKeyValues()).toEqual([['a', 'a']]);
    expect(driver.outputTopic(counts('out')).readKeyValues()).toEqual([['b', 1n]]);
    expect([committed(driver), committed(driver, 'test-ask-repartition')]).toEqual([2, 2]);
  });

  test('it needs serdes for that topic, a name and a bound', () => {
    const stream = new StreamsBuilder().stream(text('in')).mapValues((value) => value.length);
    const answer = async (value: number) => value;
    expect(() => stream.mapAsync(answer, { as: 'ask', maxInFlight: 1 })).toThrow(/ask-repartition needs a valueSerde/);
    const serdes = { keySerde: Serdes.string, valueSerde: Serdes.integer };
    // @ts-expect-error it needs a name
    expect(() => stream.mapAsync(answer, { maxInFlight: 1, ...serdes })).toThrow(/Nothing was built/);
    expect(() => stream.mapAsync(answer, { as: 'ask', maxInFlight: 0, ...serdes })).toThrow(/maxInFlight is 0/);
    expect(() => stream.mapAsync(answer, { as: 'ask', maxInFlight: 1, timeoutMs: 0, ...serdes })).toThrow(/timeoutMs/);
  });
});

describe('a crash', () => {
  test('asks again for what was in flight, and answers of the old run are not heard', async () => {
    const service = new Service();
    using driver = new TopologyTestDriver(asking(service));
    put(driver, 'a', 'b');
    service.of('a').answer('A');
    await driver.takeAnswers();
    const old = service.of('b');
    driver.crash();
    expect(old.context.signal.aborted).toBe(true);
    driver.run();
    expect(service.values).toEqual(['a', 'b', 'b']);
    expect(service.of('b').context).toMatchObject({ offset: old.context.offset });
    old.answer('old');
    await driver.takeAnswers();
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['A']);
    service.of('b').answer('B');
    await driver.settle();
    expect(driver.outputTopic(text('out')).readValues()).toEqual(['A', 'B']);
  });

  test('at any point, with answers in any order, loses and doubles nothing', async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant('put' as const) },
      { weight: 3, arbitrary: fc.nat().map((index) => ({ answer: index })) },
      fc.constantFrom('before-commit' as const, 'after-commit' as const, 'crash' as const),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, maxInFlight) => {
          const service = new Service();
          using driver = new TopologyTestDriver(asking(service, { maxInFlight }));
          const open = () => service.asked.filter(({ context }) => !context.signal.aborted && !answered.has(context));
          const answered = new Set<CallContext>();
          const answer = (asked: Asked | undefined): void => {
            if (asked === undefined) return;
            answered.add(asked.context);
            asked.answer(`${asked.value}!`);
          };
          let sent = 0;
          for (const one of steps) {
            if (one === 'put') driver.inputTopic(text('in')).send('k', String(sent++));
            else if (one === 'crash') driver.crash();
            else if (typeof one === 'string') driver.crash(one);
            else answer(open()[one.answer % Math.max(1, open().length)]);
            await driver.takeAnswers();
          }
          while (open().length > 0 || driver.callsInFlight > 0) {
            answer(open()[0]);
            await driver.takeAnswers();
          }
          const expected = Array.from({ length: sent }, (_, index) => `${index}!`);
          expect(driver.outputTopic(text('out')).readValues()).toEqual(expected);
          expect(driver.outputTopic(counts('counts-out')).readValues()).toEqual(
            Array.from({ length: sent }, (_, index) => BigInt(index + 1)),
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});
