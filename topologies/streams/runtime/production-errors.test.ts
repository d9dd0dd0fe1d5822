import { describe, expect, test, vi } from 'vitest';
import {
  type DriverOptions,
  type ProductionFailure,
  type ProductionHandler,
  Serdes,
  StreamsBuilder,
  TopologyTestDriver,
} from '../index.ts';
import { ProduceRefusalError } from '../kafka/errors.ts';
import type { ProducedRecord } from '../kafka/port.ts';
import { soleBatchSize } from '../kafka/record-batch.ts';
import { number, setUp, sums } from '../test/scripted-run.ts';
import { input, output } from '../test/summing.ts';
import { readDeadLetter } from './dead-letter.ts';
import { ProductionLimits } from './production-limits.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

/** Sends every value on twice: as it is, and made a hundred times longer; and counts. */
const longer = () => {
  const builder = new StreamsBuilder();
  const records = builder.stream(text('in'));
  records.to(text('out'));
  records.mapValues((value) => value.repeat(100)).to(text('long'));
  records
    .groupByKey()
    .count({ store: 'counts' })
    .toStream()
    .to({ ...text('counts'), valueSerde: Serdes.long });
  return builder.build();
};

const driven = (options: DriverOptions) =>
  new TopologyTestDriver(longer(), { maxMessageBytes: { long: 2_000 }, ...options });
const headersOf = (record: ProducedRecord | undefined) =>
  Object.fromEntries((record?.headers ?? []).map(([name, value]) => [name, Buffer.from(value).toString()]));

describe('a record too large for its topic', () => {
  test('fails the task, also where what nodes fail with becomes a dead letter', () => {
    using driver = driven({ onFailure: 'dead-letter' });
    expect(() => driver.inputTopic(text('in')).pipeInput('k', 'x'.repeat(20))).toThrow(
      /task 0_0 failed at in-0@0: a record of 2\d\d\d bytes is too large for long, which takes 2000\. Raise max.message.bytes/,
    );
    expect(driver.broker.records('in.dlq')).toEqual([]);
  });

  test('continue: it is left out and counted, and all else of its record stands', () => {
    using driver = driven({ onProductionError: 'continue' });
    for (const value of ['a', 'x'.repeat(20), 'b']) driver.inputTopic(text('in')).pipeInput('k', value);
    expect(driver.outputTopic(text('long')).readValues()).toEqual(['a'.repeat(100), 'b'.repeat(100)]);
    expect(driver.outputTopic(text('out')).readValues()).toHaveLength(3);
    expect(driver.outputTopic({ ...text('counts'), valueSerde: Serdes.long }).readValues()).toEqual([1n, 2n, 3n]);
    expect(driver.drops).toMatchObject([{ reason: 'production', record: { topic: 'in', offset: 1 } }]);
    expect(driver.broker.committed('test', [{ topic: 'in', partition: 0 }])).toMatchObject([{ offset: 3 }]);
  });

  test('dead-letter: it stands whole beside its input, with what it was too large for', () => {
    using driver = driven({ onProductionError: 'dead-letter' });
    driver.inputTopic(text('in')).pipeInput('k', 'x'.repeat(20), 7);
    const [letter] = driver.broker.records('in.dlq');
    expect(letter).toMatchObject({ timestamp: 7 });
    expect(Buffer.from(letter?.value ?? []).toString()).toBe('x'.repeat(2_000));
    const { cause, 'target-bytes': size, ...rest } = headersOf(letter);
    expect(cause).toContain('is too large for long, which takes 2000');
    expect(Number(size)).toBeGreaterThan(2_000);
    expect(rest).toEqual({
      reason: 'production',
      'target-topic': 'long',
      'origin-topic': 'in',
      'origin-partition': '0',
      'origin-offset': '0',
      application: 'test',
      task: '0_0',
    });
  });

  test('what a dead-letter topic does not take whole is cut, also of a record that failed', () => {
    const onFailure = 'dead-letter';
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .peek((_key, value) => {
        if (value.length > 3_000) throw new Error('refused');
      })
      .mapValues((value) => value.repeat(100))
      .to(text('long'));
    using driver = new TopologyTestDriver(builder.build(), {
      onFailure,
      onProductionError: 'dead-letter',
      maxMessageBytes: { long: 2_000, 'in.dlq': 1_700 },
    });
    driver.inputTopic(text('in')).pipeInput('k', 'x'.repeat(20));
    driver.inputTopic(text('in')).pipeInput('k', 'y'.repeat(5_000));
    driver.inputTopic(text('in')).pipeInput('k'.repeat(4_000), 'z'.repeat(5_000));
    const letters = driver.broker.records('in.dlq');
    expect(letters.map((letter) => headersOf(letter)['value-bytes'])).toEqual(['2000', '5000', '5000']);
    expect(letters.map(({ value }) => value?.length)).toEqual([1_024, 1_024, 1_024]);
    expect(letters.map(({ key }) => key?.length)).toEqual([1, 1, 256]);
    for (const { key, value, headers } of letters)
      expect(soleBatchSize(key, value, headers)).toBeLessThanOrEqual(1_700);
  });

  test('a function decides, and what it throws itself stops the task', () => {
    const handler = vi.fn<(failure: ProductionFailure) => 'continue'>(() => 'continue');
    using driver = driven({ onProductionError: handler });
    driver.inputTopic(text('in')).pipeInput('k', 'x'.repeat(20));
    expect(handler.mock.calls).toMatchObject([
      [{ applicationId: 'test', taskId: '0_0', error: { code: 'PRODUCTION' }, record: { topic: 'long' } }],
    ]);
    handler.mockImplementation(() => {
      throw new Error('no answer');
    });
    expect(() => driver.inputTopic(text('in')).pipeInput('k', 'x'.repeat(20))).toThrow(
      /onProductionError threw while it was asked about: a record of/,
    );
  });

  test('a row too large for its changelog always fails: state cannot be left out', () => {
    const builder = new StreamsBuilder();
    builder.stream(text('in')).toTable({ store: 'rows' }).toStream().to(text('out'));
    using driver = new TopologyTestDriver(builder.build(), {
      onFailure: 'dead-letter',
      onProductionError: 'continue',
      maxMessageBytes: { 'test-rows-changelog': 1_000 },
    });
    expect(() => driver.inputTopic(text('in')).pipeInput('k', 'x'.repeat(1_000))).toThrow(
      /task 0_0 failed.*too large for test-rows-changelog, which takes 1000/,
    );
    expect(driver.broker.records('out')).toEqual([]);
  });
});

test('a topic that is not there is a production error, and its partition is no riddle', () => {
  const builder = new StreamsBuilder();
  builder.stream(text('in')).to((_key, value) => (value === 'lost' ? 'nowhere' : 'out'), text('out'));
  using driver = new TopologyTestDriver(builder.build(), { onProductionError: 'dead-letter' });
  driver.broker.createTopic('out', 1);
  for (const value of ['a', 'lost', 'b']) driver.inputTopic(text('in')).pipeInput('k', value);
  expect(driver.outputTopic(text('out')).readValues()).toEqual(['a', 'b']);
  expect(headersOf(driver.broker.records('in.dlq')[0])).toMatchObject({
    reason: 'production',
    'target-topic': 'nowhere',
    cause: 'there is no topic nowhere; nothing was sent. Create it first.',
  });
});

describe('which times are taken', () => {
  const hour = 3_600_000;
  const limitsOf = (config: Readonly<Record<string, string>>) => {
    const limits = new ProductionLimits();
    const wide = { 'message.timestamp.before.max.ms': '9223372036854775807' };
    limits.take(
      new Map(Object.entries({ t: config, wide }).map(([topic, one]) => [topic, new Map(Object.entries(one))])),
    );
    return limits;
  };
  const takenBy = (config: Readonly<Record<string, string>>): readonly boolean[] => {
    const limits = limitsOf(config);
    return [2 * hour, hour / 2, -hour / 2, -2 * hour].map((distance) => limits.takesTime('t', Date.now() + distance));
  };

  test.each<[string, Readonly<Record<string, string>>, readonly boolean[]]>([
    ['all, where nothing is said', {}, [true, true, true, true]],
    ['up to a bound ahead', { 'message.timestamp.after.max.ms': String(hour) }, [false, true, true, true]],
    ['up to a bound back', { 'message.timestamp.before.max.ms': String(hour) }, [true, true, true, false]],
    [
      'both, as older brokers say it',
      { 'message.timestamp.difference.max.ms': String(hour) },
      [false, true, true, false],
    ],
    [
      'all, where the broker stamps its own',
      { 'message.timestamp.type': 'LogAppendTime', 'message.timestamp.after.max.ms': String(hour) },
      [true, true, true, true],
    ],
  ])('%s', (_what, config, taken) => expect(takenBy(config)).toEqual(taken));

  test('the bounds of a topic are its own, and go with the clock', () => {
    vi.useFakeTimers();
    const limits = limitsOf({ 'message.timestamp.after.max.ms': String(hour) });
    const soon = Date.now() + 2 * hour;
    expect([limits.takesTime('t', soon), limits.takesTime('wide', soon)]).toEqual([false, true]);
    vi.advanceTimersByTime(hour);
    expect(limits.takesTime('t', soon)).toBe(true);
    vi.useRealTimers();
  });

  test('a time that no date can say is told as it is', () => {
    const limits = limitsOf({ 'message.timestamp.after.max.ms': String(hour) });
    expect(limits.refusalOf('t', 9e15, null, null, [])?.message).toMatch(
      /^a record of 9000000000000000 is \d+ ms ahead/,
    );
  });
});

const sizeBound = (handling: ProductionHandler) => {
  const builder = new StreamsBuilder();
  builder.stream(input).to(output);
  const run = setUp(builder.build(), 1, { onProductionError: handling });
  return run;
};

describe('on a broker, played by hand', () => {
  test('limits are those that topics have at the start of the run; every transaction is told them', async () => {
    const { port, runner } = sizeBound('continue');
    port.topicConfigs = async (topics) =>
      new Map(topics.map((topic) => [topic, new Map([['max.message.bytes', topic === output.name ? '100' : '9000']])]));
    const big = { ...number('k'.repeat(200), 2) };
    port.append([number('k', 1), big, number('k', 3)]);
    await runner.start();
    await expect.poll(() => sums(port)).toEqual([1, 3]);
    expect(port.transactions.map(({ maxBytesOf }) => maxBytesOf?.(output.name))).toContain(100);
    await runner.close();
  });

  test('a time that a topic does not take is a production error: one far ahead, and where that is bound one far back', async () => {
    const { port, runner, logged } = sizeBound('dead-letter');
    const bounds = { 'message.timestamp.type': 'CreateTime', 'message.timestamp.after.max.ms': '3600000' };
    const noBound = '9223372036854775807';
    const settings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
      [output.name]: { ...bounds, 'message.timestamp.before.max.ms': '86400000' },
      [`${input.name}.dlq`]: { ...bounds, 'message.timestamp.before.max.ms': noBound },
    };
    port.topicConfigs = async (topics) =>
      new Map(topics.map((topic) => [topic, new Map(Object.entries(settings[topic] ?? {}))]));
    const now = Date.now();
    const [far, near, old] = [now + 3_660_000, now + 3_540_000, now - 86_460_000];
    const at = (timestamp: number, value: number) => ({ ...number('k', value), timestamp });
    port.append([at(now, 1), at(far, 2), at(near, 3), at(old, 4), at(now - 86_340_000, 5)]);
    await runner.start();
    await expect.poll(() => sums(port)).toEqual([1, 3, 5]);
    const letters = port.broker.records(`${input.name}.dlq`).map((letter) => readDeadLetter(letter));
    expect(letters.map(({ timestamp, target }) => [timestamp, target])).toEqual([
      [far, output.name],
      [old, output.name],
    ]);
    expect(letters[0]?.cause).toMatch(
      /a record of 2\d.*Z is 36\d{5} ms ahead of the clock, more than the 3600000 ms that sum-out takes\. Raise message\.timestamp\.after/,
    );
    expect(letters[1]?.cause).toMatch(/is 864\d{5} ms old, more than the 86400000 .* Raise message\.timestamp\.before/);
    // The letter's own topic takes the old time, but not the one ahead.
    const [first, second] = port.broker.records(`${input.name}.dlq`);
    expect(headersOf(first)['record-timestamp']).toBe(String(far));
    expect(first?.timestamp).toBeLessThan(now + 60_000);
    expect([second?.timestamp, headersOf(second)['record-timestamp']]).toEqual([old, undefined]);
    expect(logged.join()).not.toContain('application-failed');
    await runner.close();
  });

  test('settings that may not be read are told of, and nothing else happens', async () => {
    const { port, runner, logged } = sizeBound('continue');
    port.topicConfigs = () => Promise.reject(new ProduceRefusalError({ topic: output.name, partition: 0 }, 29));
    port.append([number('k', 1)]);
    await runner.start();
    await expect.poll(() => sums(port)).toEqual([1]);
    expect(logged.join()).toMatch(/limits-unknown: .*Allow DescribeConfigs/);
    await runner.close();
  });

  test.each(['dead-letter', 'fail'] as const)('a topic that refuses us costs one run, then (%s)', async (handling) => {
    const { port, runner, logged } = sizeBound(handling);
    let refused = 0;
    port.onCommit = async ({ records }) => {
      if (![...records].some(({ topic }) => topic === output.name)) return;
      refused += 1;
      const cause = new ProduceRefusalError({ topic: output.name, partition: 0 }, 29);
      throw new Error('aborted', { cause });
    };
    port.append([number('k', 1), number('k', 2)]);
    await runner.start();
    if (handling === 'fail') {
      await expect.poll(() => refused, { timeout: 3_000 }).toBeGreaterThan(2);
      expect(logged.join()).toContain('aborted');
    } else {
      await expect.poll(() => port.broker.records(`${input.name}.dlq`).length, { timeout: 3_000 }).toBe(2);
      expect(headersOf(port.broker.records(`${input.name}.dlq`)[0]).cause).toMatch(
        /sum-out does not take it: .*TOPIC_AUTHORIZATION_FAILED \(29\)/,
      );
      expect(refused).toBe(1);
    }
    await runner.close();
  });
});
