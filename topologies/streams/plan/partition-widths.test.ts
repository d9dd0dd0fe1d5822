import { describe, expect, test } from 'vitest';
import { CoPartitionError, JoinWindows, Serdes, StreamsBuilder, type Topology, TopologyTestDriver } from '../index.ts';
import { prepareTopics } from '../runtime/internal-topics.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { internalWidths } from './partition-widths.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const joined = (left: string, right: string) => `${left}+${right}`;

/** `moved` has another key than its topic's; the join names its repartition topic. */
const movedToTable = () => {
  const builder = new StreamsBuilder();
  builder
    .stream(text('moved'))
    .selectKey((_key, value) => value, { as: 'by-value' })
    .join(builder.table(text('rows'), { store: 'rows' }), joined, { as: 'meet', keySerde: Serdes.string })
    .to(text('out'));
  return builder.build();
};

const twoMoved = (partitions?: number) => {
  const builder = new StreamsBuilder();
  const moved = (name: string) => builder.stream(text(name)).selectKey((_key, value) => value, { as: `${name}-key` });
  const left = moved('a').repartition({ as: 'a-moved', keySerde: Serdes.string, ...(partitions && { partitions }) });
  left.join(moved('b'), joined, JoinWindows.of(5, 5, 0), { as: 'meet', keySerde: Serdes.string }).to(text('out'));
  return builder.build();
};

const foreign = () => {
  const builder = new StreamsBuilder();
  const right = builder.table(text('right'), { store: 'right' });
  builder
    .table(text('left'), { store: 'left' })
    .join(right, (value) => value, joined, { as: 'fk', store: 'fk-rows', valueSerde: Serdes.string })
    .toStream()
    .to(text('out'));
  return builder.build();
};

/** Both sides of the foreign-key join are behind repartitions, so that its two topics feed each other. */
const circular = () => {
  const builder = new StreamsBuilder();
  const moved = (name: string) =>
    builder
      .stream(text(name))
      .selectKey((_key, value) => value, { as: `${name}-key` })
      .toTable({ as: `${name}-moved`, store: `${name}-rows`, keySerde: Serdes.string });
  const rows = moved('left').join(moved('right'), (value) => value, joined, { as: 'fk' });
  rows.toStream().to(text('out'), { valueSerde: Serdes.string });
  return builder.build();
};

const widths = (topology: Topology, counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(internalWidths(topology.plan('app'), new Map(Object.entries(counts))));

describe('a topic between sub-topologies', () => {
  test('beside a table it is as wide as the table, not as what feeds it', () => {
    expect(widths(movedToTable(), { moved: 6, rows: 2 })).toEqual({ 'app-meet-repartition': 2 });
  });

  test('beside another one of the application both are as wide as the widest that feeds either', () => {
    expect(widths(twoMoved(), { a: 2, b: 5 })).toEqual({
      'app-a-moved-repartition': 5,
      'app-meet-right-repartition': 5,
    });
  });

  test('what the author fixed, the other follows', () => {
    expect(widths(twoMoved(3), { a: 2, b: 5 })).toEqual({
      'app-a-moved-repartition': 3,
      'app-meet-right-repartition': 3,
    });
  });

  test('requests of a foreign-key join go as wide as the right table, answers as wide as the left one', () => {
    const topics = ['app-fk-subscription-registration-topic', 'app-fk-subscription-response-topic'];
    expect(widths(foreign(), { left: 4, right: 3 })).toEqual({ [topics[0] ?? '']: 3, [topics[1] ?? '']: 4 });
    expect(new Set(Object.values(widths(circular(), { left: 4, right: 3 })))).toEqual(new Set([4]));
  });
});

describe('inputs of a join with unequal partition counts are refused at start, with their counts and the node', () => {
  const both = () => {
    const builder = new StreamsBuilder();
    builder
      .stream(text('clicks'))
      .join(builder.table(text('users'), { store: 'users' }), joined, { as: 'click-user' })
      .to(text('out'));
    return builder.build();
  };
  const message = /click-user joins topics of unequal partition counts: clicks has 4, users has 3; .*Repartition/;

  test('by the worker', async () => {
    const kafka = new ScriptedPort();
    for (const [topic, count] of Object.entries({ clicks: 4, users: 3, out: 1 }))
      kafka.broker.createTopic(topic, count);
    await expect(prepareTopics(both().plan('app'), kafka, { internalDeadLetters: false })).rejects.toThrow(message);
    await expect(prepareTopics(both().plan('app'), kafka, { internalDeadLetters: false })).rejects.toBeInstanceOf(
      CoPartitionError,
    );
    expect(kafka.broker.topics).toEqual(['clicks', 'users', 'out']); // nothing was created
  });

  test('by the test driver', () => {
    const start = () => new TopologyTestDriver(both(), { topicPartitions: { clicks: 4, users: 3 } });
    expect(start).toThrow(CoPartitionError);
    expect(start).toThrow(message);
  });

  test('and a width that its author fixed is not changed for the join', () => {
    const builder = new StreamsBuilder();
    const moved = builder.stream(text('clicks')).repartition({ as: 'spread', partitions: 8 });
    moved.join(builder.table(text('users'), { store: 'users' }), joined, { as: 'click-user' }).to(text('out'));
    const start = () => new TopologyTestDriver(builder.build(), { partitions: 2 });
    expect(start).toThrow(/test-spread-repartition has 8, users has 2/);
  });
});

test('the driver joins by foreign key between tables of different widths', () => {
  using driver = new TopologyTestDriver(foreign(), { topicPartitions: { left: 4, right: 3 } });
  for (const key of ['a', 'b', 'c', 'd']) driver.inputTopic(text('left')).pipeInput(key, `r-${key}`);
  for (const key of ['a', 'b', 'c', 'd']) driver.inputTopic(text('right')).pipeInput(`r-${key}`, 'found');
  const last = new Map(driver.outputTopic(text('out')).readKeyValues());
  expect(last).toEqual(new Map(['a', 'b', 'c', 'd'].map((key) => [key, `r-${key}+found`])));
});
