import { describe, expect, test } from 'vitest';
import { JoinWindows, type KStream, Serdes, StreamsBuilder, TopologyTestDriver } from '../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const string = { keySerde: Serdes.string };
const both = (left: string, right: string) => `${left}+${right}`;
const [one, two] = [text('one'), text('two')];

const topics = (
  build: (changed: KStream<string, string>, unchanged: KStream<string, string>, builder: StreamsBuilder) => void,
) => {
  const builder = new StreamsBuilder();
  const unchanged = builder.stream(text('in'));
  build(
    unchanged.selectKey((_key, value) => value, { as: 'by-value' }),
    unchanged,
    builder,
  );
  const { subTopologies } = builder.build().description;
  return subTopologies.flatMap((sub) =>
    sub.nodes.flatMap((node) => (node.kind === 'source' && node.internal ? node.topic : [])),
  );
};

describe('a repartition topic is made only where a key has changed and equal keys must meet', () => {
  test.each<[string, Parameters<typeof topics>[0]]>([
    [
      'a grouping by the key that the topic has',
      (_changed, unchanged) => void unchanged.groupByKey().count({ store: 'n' }),
    ],
    [
      'operators that leave the key alone',
      (_changed, unchanged) =>
        void unchanged
          .filter(() => true)
          .mapValues((value) => value)
          .groupByKey({ valueSerde: Serdes.string })
          .count({ store: 'n' }),
    ],
    [
      'a join with a table',
      (_changed, unchanged, builder) => unchanged.join(builder.table(text('t'), { store: 't' }), both).to(one),
    ],
    ['operators that need no equal keys', (changed) => changed.filter(() => true).to(one, string)],
    [
      'a global table',
      (changed, _unchanged, builder) =>
        changed.join(builder.globalTable(text('g'), { store: 'g' }), (_key, value) => value, both).to(one, string),
    ],
  ])('not for %s', (_what, build) => expect(topics(build)).toEqual([]));

  test('once for a repartition by hand, however often it is read', () => {
    const made = topics((changed, _unchanged, builder) => {
      const together = changed.repartition({ as: 'together', ...string });
      together.groupByKey().count({ store: 'n' });
      together.join(builder.table(text('t'), { store: 't' }), both).to(one);
    });
    expect(made).toEqual(['together-repartition']);
  });
});

describe('one topic serves', () => {
  test('the aggregations of one grouping, named or not', () => {
    for (const named of [{ as: 'grouped' }, {}]) {
      const made = topics((changed) => {
        const grouped = changed.groupByKey({ ...string, ...named });
        grouped.count({ store: 'n' });
        grouped.reduce((_a, b) => b, { store: 'last' });
      });
      expect(made).toEqual([named.as === undefined ? 'n-repartition' : 'grouped-repartition']);
    }
  });

  test('two joins of one stream', () => {
    const made = topics((changed, _unchanged, builder) => {
      changed.join(builder.table(text('t'), { store: 't' }), both, { as: 'first', ...string }).to(one);
      changed.leftJoin(builder.table(text('u'), { store: 'u' }), (left) => left, { as: 'second', ...string }).to(two);
      changed.toTable({ store: 'kept', ...string });
    });
    expect(made).toEqual(['first-repartition']);
  });

  test('a join of a stream with itself', () => {
    const made = topics((changed) =>
      changed.join(changed, both, JoinWindows.of(5, 5, 0), { as: 'self', ...string }).to(one),
    );
    expect(made).toEqual(['self-left-repartition']);
  });

  test('but not two joins that want other bytes or another width', () => {
    const made = topics((changed, _unchanged, builder) => {
      const table = builder.table(text('t'), { store: 't' });
      changed.join(table, both, { as: 'first', ...string }).to(one);
      changed.join(table, both, { as: 'second', ...string, valueSerde: Serdes.json<string>() }).to(two);
      changed.toTable({ as: 'third', store: 'kept', partitions: 3, ...string });
    });
    expect(made).toEqual(['first-repartition', 'second-repartition', 'third-repartition']);
  });
});

test('a stream that is joined with itself and with a table through one topic gives every result, on three partitions', () => {
  const builder = new StreamsBuilder();
  const changed = builder.stream(text('in')).selectKey((_key, value) => value, { as: 'by-value' });
  changed.join(changed, both, JoinWindows.of(5, 5, 0), { as: 'self', ...string }).to(one);
  changed.join(builder.table(text('t'), { store: 't' }), both, { as: 'with-table', ...string }).to(two);
  using driver = new TopologyTestDriver(builder.build(), { partitions: 3 });
  for (const value of ['a', 'b', 'c']) driver.inputTopic(text('t')).pipeInput(value, `row-${value}`, 0);
  for (const [key, value] of [
    ['1', 'a'],
    ['2', 'b'],
    ['3', 'c'],
  ] as const)
    driver.inputTopic(text('in')).pipeInput(key, value, 1);
  const sorted = (topic: typeof one) => [...driver.outputTopic(topic).readValues()].sort();
  expect(sorted(two)).toEqual(['a+row-a', 'b+row-b', 'c+row-c']);
  expect(new Set(sorted(one))).toEqual(new Set(['a+a', 'b+b', 'c+c']));
});
