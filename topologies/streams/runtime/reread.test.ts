import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JoinWindows, Serdes, StreamsBuilder, TopologyTestDriver } from '../index.ts';

const letters = /^[a-z]*$/;
/** Cannot read digits. */
const word = {
  ...Serdes.string,
  deserialize(topic: string, bytes: Uint8Array): string {
    const text = Serdes.string.deserialize(topic, bytes);
    if (!letters.test(text)) throw new TypeError(`${text} is no word`);
    return text;
  },
};
const topic = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: word });
const raw = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

interface Input {
  readonly side: 'left' | 'right';
  readonly key: string;
  readonly value: string | null;
  readonly timestamp: number;
  readonly crash: 'before-commit' | 'after-commit' | null;
}

interface Manner {
  readonly logged: boolean;
  readonly crashes: boolean;
  readonly persistent?: boolean;
}

function drive(inputs: readonly Input[], { logged, crashes, persistent = false }: Manner) {
  const builder = new StreamsBuilder();
  const windows = JoinWindows.of(4, 10, 3);
  builder
    .stream(topic('left'))
    .join(
      builder.stream(topic('right')),
      (left, right) => {
        if (left === 'bad' || right === 'bad') throw new Error('refused');
        return `${left}+${right}`;
      },
      windows,
      { as: 'met', logged, persistent },
    )
    .to(raw('out'));
  using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
  const topics = { left: driver.inputTopic(raw('left')), right: driver.inputTopic(raw('right')) };
  for (const { side, key, value, timestamp, crash } of inputs) {
    if (crash !== null && crashes) driver.crash(crash);
    topics[side].pipeInput(key, value, timestamp);
  }
  if (crashes) driver.crash();
  topics.left.pipeInput('a', 'last', 60);
  topics.right.pipeInput('a', 'last', 60);
  return {
    out: driver.outputTopic(raw('out')).readRecords(),
    letters: ['left.dlq', 'right.dlq'].map((name) => driver.broker.records(name).length),
    topics: driver.broker.topics,
  };
}

const input: fc.Arbitrary<Input> = fc.record({
  side: fc.constantFrom('left', 'right'),
  key: fc.constantFrom('a', 'b', ''),
  value: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('x', 'y', 'z') },
    { weight: 1, arbitrary: fc.constantFrom('bad', '7', null) },
  ),
  timestamp: fc.integer({ min: 0, max: 60 }),
  crash: fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom('before-commit' as const, 'after-commit' as const) },
  ),
});

describe('join windows without a changelog', () => {
  test('are read again from the inputs, as if nothing had happened: without what was late, unreadable or failed', () => {
    fc.assert(
      fc.property(fc.array(input, { minLength: 1, maxLength: 25 }), (inputs) => {
        const undisturbed = drive(inputs, { logged: true, crashes: false });
        const restored = drive(inputs, { logged: false, crashes: true });
        expect(restored.out).toEqual(undisturbed.out);
        expect(restored.letters).toEqual(undisturbed.letters);
        expect(drive(inputs, { logged: true, crashes: true, persistent: true }).out).toEqual(undisturbed.out);
      }),
      { numRuns: 150 },
    );
  });

  test('a record that was refused as late is not met after a restart either', () => {
    const at = (side: 'left' | 'right', value: string, timestamp: number): Input => ({
      side,
      key: 'a',
      value,
      timestamp,
      crash: null,
    });
    const late = [
      at('right', 'y', 50),
      at('left', 'late', 36),
      { ...at('right', 'z', 43), crash: 'after-commit' as const },
    ];
    expect(drive(late, { logged: false, crashes: true }).out).toEqual(
      drive(late, { logged: true, crashes: false }).out,
    );
  });

  test('they reach back from what was kept, not from a newer record without a value', () => {
    const at = (side: 'left' | 'right', value: string | null, timestamp: number): Input => ({
      ...{ side, key: 'a', value, timestamp, crash: null },
    });
    const inputs = [
      at('left', 'x', 5),
      at('left', null, 50),
      { ...at('right', 'y', 6), crash: 'after-commit' as const },
    ];
    const { out } = drive(inputs, { logged: false, crashes: true });
    expect(out.map(({ value }) => value)).toContain('x+y');
  });

  test('they have one where the side is not the topic as it stands, or where the author wants it', () => {
    const changelogsOf = (build: (builder: StreamsBuilder) => void): readonly string[] => {
      const builder = new StreamsBuilder();
      build(builder);
      using driver = new TopologyTestDriver(builder.build());
      return driver.broker.topics
        .filter((name) => name.includes('join-store'))
        .map((name) => name.replace(/^.*?-m/, 'm'));
    };
    const windows = JoinWindows.ofTimeDifferenceWithNoGrace(10);
    const plus = (left: string, right: string): string => left + right;
    expect(
      changelogsOf((builder) =>
        builder
          .stream(topic('l'))
          .join(builder.stream(topic('r')), plus, windows, { as: 'm' })
          .to(raw('out')),
      ),
    ).toEqual([]);
    expect(
      changelogsOf((builder) =>
        builder
          .stream(topic('l'))
          .filter(() => true)
          .join(builder.stream(topic('r')), plus, windows, { as: 'm' })
          .to(raw('out')),
      ),
    ).toEqual(['m-this-join-store-changelog']);
    expect(
      changelogsOf((builder) =>
        builder
          .stream(topic('l'))
          .leftJoin(builder.stream(topic('r')), (l, r) => `${l}${r}`, windows, { as: 'm' })
          .to(raw('out')),
      ),
    ).toEqual([
      'm-this-join-store-changelog',
      'm-outer-other-join-store-changelog',
      'm-left-shared-join-store-changelog',
    ]);
    expect(
      changelogsOf((builder) =>
        builder
          .stream(topic('l'))
          .join(builder.stream(topic('r')), plus, windows, { as: 'm', logged: true })
          .to(raw('out')),
      ),
    ).toEqual(['m-this-join-store-changelog', 'm-other-join-store-changelog']);
  });
});
