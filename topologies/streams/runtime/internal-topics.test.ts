import { expect, test } from 'vitest';
import { JoinWindows, Serdes, StreamsBuilder, TimeWindows } from '../index.ts';
import { BrokerRefusalError } from '../kafka/errors.ts';
import type { TopicSpec } from '../kafka/port.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { prepareTopics } from './internal-topics.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

test('a changelog forgets by age only what its store forgets by age: the latest version of a row is never too old', async () => {
  const builder = new StreamsBuilder();
  const history = builder.table(text('rows'), { store: 'history', versionedMs: 1_000 });
  const stream = builder.stream(text('in'));
  stream.join(history, (value) => value, { as: 'wait', graceMs: 10 });
  stream
    .groupByKey()
    .windowedBy(TimeWindows.ofSizeWithNoGrace(1_000))
    .count({ store: 'windows' })
    .suppress({ until: 'windowClose', as: 'final', changelogConfig: { 'segment.ms': '60000' } });
  const kafka = new ScriptedPort();
  for (const name of ['rows', 'in']) kafka.broker.createTopic(name, 1);
  const made: TopicSpec[] = [];
  kafka.createTopics = async (topics) => {
    made.push(...topics);
    for (const { name, partitions } of topics) kafka.broker.createTopic(name, partitions);
  };
  await prepareTopics(builder.build().plan('app'), kafka);
  const policies = Object.fromEntries(
    made.flatMap(({ name, config }) =>
      name.endsWith('-changelog') ? [[name, [config?.['cleanup.policy'], config?.['retention.ms']]]] : [],
    ),
  );
  expect(policies).toEqual({
    'app-history-changelog': ['compact', undefined],
    'app-wait-buffer-changelog': ['compact', undefined],
    'app-windows-changelog': ['compact,delete', String(1_000 + 86_400_000)],
    'app-final-store-changelog': ['compact', undefined],
  });
  expect(made.find(({ name }) => name === 'app-final-store-changelog')?.config?.['segment.ms']).toBe('60000');
});

test("topics of the application's own take every time; brokers that do not know such bounds are asked for the rest", async () => {
  const builder = new StreamsBuilder();
  builder
    .stream(text('in'))
    .groupBy((_key, value) => value, { keySerde: Serdes.string })
    .count({ store: 'counts' });
  const kafka = new ScriptedPort();
  kafka.broker.createTopic('in', 1);
  const asked: (readonly TopicSpec[])[] = [];
  kafka.createTopics = async (topics) => {
    asked.push(topics);
    if (asked.length === 1) throw new BrokerRefusalError('Topic app-counts-changelog was not created', 40);
    for (const { name, partitions } of topics) kafka.broker.createTopic(name, partitions);
  };
  await prepareTopics(builder.build().plan('app'), kafka);
  const bounds = ['message.timestamp.before.max.ms', 'message.timestamp.after.max.ms'];
  const boundsOf = (topics: readonly TopicSpec[] = []) =>
    topics.filter(({ name }) => name.startsWith('app-')).map(({ config }) => bounds.map((name) => config?.[name]));
  const most = '9223372036854775807';
  expect(asked.map(boundsOf)).toEqual([
    [
      [most, most],
      [most, most],
    ],
    [
      [undefined, undefined],
      [undefined, undefined],
    ],
  ]);
  expect(asked[1]?.[0]?.config).toMatchObject({ 'message.timestamp.type': 'CreateTime' });

  kafka.createTopics = () => Promise.reject(new BrokerRefusalError('Topic app-counts-changelog was not created', 38));
  await expect(prepareTopics(builder.build().plan('app'), kafka)).rejects.toThrow(/INVALID_REPLICATION_FACTOR/);
});

test('where the settings of a topic that a join is read again from cannot be read, it says so with both cures', async () => {
  const builder = new StreamsBuilder();
  const [left, right] = [builder.stream(text('left')), builder.stream(text('right'))];
  left.join(right, (one, other) => one + other, JoinWindows.ofTimeDifferenceWithNoGrace(1_000), { as: 'both' });
  const kafka = new ScriptedPort();
  for (const name of ['left', 'right']) kafka.broker.createTopic(name, 1);
  kafka.topicConfigs = () => Promise.reject(new BrokerRefusalError('Settings of topic left', 29));
  await expect(prepareTopics(builder.build().plan('app'), kafka)).rejects.toThrow(
    /cannot be read \(both-.* from left.*TOPIC_AUTHORIZATION_FAILED.*nothing was started\. Allow DescribeConfigs, or .*logged: true/,
  );
});
