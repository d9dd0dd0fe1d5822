import { expect, test } from 'vitest';
import { JoinWindows, NodeError, Serdes, StreamsBuilder, TopologyTestDriver } from '../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

test('a partitioner that chooses what is not there is told by its node, with what there is', () => {
  const builder = new StreamsBuilder();
  builder.stream(text('in')).to(text('out'), { as: 'sending', partitioner: () => 4 });
  using driver = new TopologyTestDriver(builder.build(), { partitions: 2 });
  expect(() => driver.inputTopic(text('in')).pipeInput('k', 'v')).toThrow(/sending.*chose 4; out has.*0 to 1/);
});

test.each([
  ['throws', () => JSON.parse('')],
  ['gives no time', () => Number.NaN],
])('a record whose timestamp extractor %s is a dead letter', (_what, timestampExtractor) => {
  const builder = new StreamsBuilder();
  builder.stream(text('in'), { timestampExtractor }).to(text('out'));
  using driver = new TopologyTestDriver(builder.build());
  driver.inputTopic(text('in')).pipeInput('k', 'v');
  expect(driver.drops.map(({ reason }) => reason)).toEqual(['malformed']);
  expect(driver.broker.records('in.dlq')).toHaveLength(1);
});

test('a processor that fails to close is told by name, and the others are closed all the same', () => {
  const closed: string[] = [];
  const builder = new StreamsBuilder();
  const closing = (name: string, close: () => void) => () => ({
    process() {},
    close() {
      closed.push(name);
      close();
    },
  });
  const source = builder.stream(text('in'));
  source.process(
    closing('bad', () => {
      throw new Error('no');
    }),
    { as: 'bad' },
  );
  source.process(
    closing('good', () => {}),
    { as: 'good' },
  );
  const driver = new TopologyTestDriver(builder.build());
  expect(() => driver[Symbol.dispose]()).toThrow(NodeError);
  expect(closed).toEqual(['bad', 'good']);
});

test('an offset that a tool has committed says nothing of the time', () => {
  const builder = new StreamsBuilder();
  builder.stream(text('in')).to(text('out'));
  using driver = new TopologyTestDriver(builder.build());
  driver.broker.commit('test', [{ topic: 'in', partition: 0, offset: 0, metadata: 'reset by hand' }]);
  driver.crash();
  driver.inputTopic(text('in')).pipeInput('k', 'v', 7);
  expect(driver.broker.committed('test', [{ topic: 'in', partition: 0 }])).toMatchObject([{ metadata: '7' }]);
});

test('a topic cannot be two global tables, nor one and a stream', () => {
  const twice = new StreamsBuilder();
  twice.globalTable(text('all'), { store: 'a' });
  twice.globalTable(text('all'), { store: 'b' });
  expect(() => twice.build()).toThrow(/all has two sources/);
  const both = new StreamsBuilder();
  both.globalTable(text('all'), { store: 'a' });
  both.stream(text('all')).to(text('out'));
  expect(() => both.build()).toThrow(/all has two sources/);
});

test('what a failed record had told as unmatched is told by the next one', () => {
  const builder = new StreamsBuilder();
  const joiner = (left: string, right: string | null): string => {
    if (right === 'bad') throw new Error('bad is refused');
    return `${left}+${right}`;
  };
  const windows = JoinWindows.ofTimeDifferenceWithNoGrace(10);
  builder
    .stream(text('left'))
    .leftJoin(builder.stream(text('right')), joiner, windows, { as: 'both' })
    .to(text('out'));
  using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
  driver.inputTopic(text('left')).pipeInput('a', 'A', 0);
  driver.inputTopic(text('left')).pipeInput('k', 'K', 10);
  driver.inputTopic(text('right')).pipeInput('k', 'bad', 20);
  expect(driver.outputTopic(text('out')).isEmpty).toBe(true);
  driver.inputTopic(text('left')).pipeInput('z', 'Z', 20);
  expect(driver.outputTopic(text('out')).readValues()).toEqual(['A+null']);
});

test('a key that no store on disk could take fails its record, not the commit', () => {
  const builder = new StreamsBuilder();
  builder.stream(text('in')).toTable({ store: 'rows' });
  builder.globalTable(text('all'), { store: 'all-rows' });
  using driver = new TopologyTestDriver(builder.build(), { onFailure: 'dead-letter' });
  for (const topic of ['in', 'all']) driver.inputTopic(text(topic)).pipeInput('k'.repeat(3_000), 'v');
  for (const topic of ['in.dlq', 'all.dlq']) {
    const [letter] = driver.outputTopic(text(topic)).readRecords();
    const cause = letter?.headers.find(([name]) => name === 'cause')?.[1] ?? new Uint8Array();
    expect(Buffer.from(cause).toString()).toContain('a key of 3000 bytes cannot be stored, at most 1977');
  }
});

test.each(['stream', 'table'] as const)(
  'a %s takes its time from its extractor; a negative one is dropped and counted',
  (kind) => {
    const builder = new StreamsBuilder();
    const seen: number[] = [];
    const timestampExtractor = ({ value }: { readonly value: unknown }, partitionTime: number) => {
      seen.push(partitionTime);
      return Number(value);
    };
    if (kind === 'stream') builder.stream(text('in'), { timestampExtractor }).to(text('out'));
    else builder.table(text('in'), { timestampExtractor, store: 'rows' }).toStream().to(text('out'));
    using driver = new TopologyTestDriver(builder.build());
    for (const value of ['30', '-1', '20']) driver.inputTopic(text('in')).pipeInput('k', value, 99);
    const out = driver.outputTopic(text('out')).readRecords();
    expect(out.map(({ value, timestamp }) => [value, timestamp])).toEqual([
      ['30', 30],
      ['20', 20],
    ]);
    expect(driver.drops.map(({ reason, record }) => [reason, record?.offset])).toEqual([['negative-timestamp', 1]]);
    expect(seen).toEqual([-1, 30, 30]);
    expect(driver.broker.committed('test', [{ topic: 'in', partition: 0 }])).toMatchObject([
      { offset: 3, metadata: '30' },
    ]);
  },
);

test('which input is next hangs on the times that the extractors give', () => {
  const seen: string[] = [];
  const builder = new StreamsBuilder();
  const byValue = { timestampExtractor: ({ value }: { readonly value: unknown }) => Number(value) };
  builder
    .stream(text('a'), byValue)
    .merge(builder.stream(text('b')))
    .peek((_key, value) => seen.push(value))
    .to(text('out'));
  using driver = new TopologyTestDriver(builder.build(), { recordsPerCommit: 10 });
  const at = (topic: string, values: readonly number[], times = values) =>
    driver.broker.append(
      values.map((value, index) => ({
        topic,
        partition: 0,
        timestamp: times[index] ?? 0,
        key: null,
        value: Serdes.string.serialize(topic, String(value)),
        headers: [],
      })),
    );
  at('a', [5, 20, 30], [90, 91, 92]);
  at('b', [10, 25]);
  driver.run();
  expect(seen).toEqual(['5', '10', '20', '25', '30']);
});
