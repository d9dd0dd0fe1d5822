import { describe, expect, test } from 'vitest';
import { diffTopologies, Serdes, StreamsBuilder, type Topology, type TopologyDescription } from '../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const counts = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.long });

interface Shape {
  readonly store?: string;
  readonly grouping?: string;
  readonly from?: string;
  readonly partitions?: number;
  /** An independent part, written first, so that it takes the first number. */
  readonly before?: boolean;
  readonly persistent?: boolean;
  readonly global?: string;
}

const counting = ({ store = 'counts', grouping = 'by-word', from = 'words', ...rest }: Shape = {}): Topology => {
  const builder = new StreamsBuilder();
  if (rest.before === true) builder.stream(text('other')).to(text('copy'));
  if (rest.global !== undefined) builder.globalTable(text(rest.global), { store: 'global-rows' });
  const { persistent = true, partitions } = rest;
  builder
    .stream(text(from))
    .groupBy((_key, word) => word, { as: grouping, keySerde: Serdes.string, ...(partitions && { partitions }) })
    .count({ store, persistent })
    .toStream()
    .to(counts('out'));
  return builder.build();
};

const told = (before: Topology | TopologyDescription, after: Topology | TopologyDescription) =>
  diffTopologies(before, after).changes.map(({ of, change, name }) => `${of} ${name} ${change}`);

test('equal topologies differ in nothing, also after a round through JSON', () => {
  const written: TopologyDescription = JSON.parse(counting().describe('json'));
  expect(diffTopologies(written, counting())).toEqual({ changes: [], keepsState: true });
});

describe('it tells', () => {
  test('a store under another name: rows and changelog are left behind', () => {
    expect(told(counting(), counting({ store: 'totals' }))).toEqual([
      'store counts orphaned',
      'store totals created',
      'changelog counts-changelog orphaned',
      'changelog totals-changelog created',
    ]);
  });

  test('a grouping under another name: what is under way is lost, and the store has new inputs', () => {
    expect(told(counting(), counting({ grouping: 'words-by-word' }))).toEqual([
      'store counts repartitioned',
      'changelog counts-changelog repartitioned',
      'repartition-topic by-word-repartition orphaned',
      'repartition-topic words-by-word-repartition created',
    ]);
  });

  test('a part written before: other tasks have the store', () => {
    const { changes, keepsState } = diffTopologies(counting(), counting({ before: true }));
    expect(changes).toMatchObject([
      { of: 'store', name: 'counts', change: 'moved', before: 'sub-topology 1', after: 'sub-topology 2' },
    ]);
    expect(keepsState).toBe(false);
    expect(changes[0]?.message).toMatch(/read it anew from its changelog.*sub-topology 1 → sub-topology 2/);
  });

  test('another topic or a fixed count before a repartition topic', () => {
    expect(told(counting(), counting({ from: 'lines' }))).toEqual([
      'repartition-topic by-word-repartition repartitioned',
    ]);
    const [change] = diffTopologies(counting(), counting({ partitions: 12 })).changes;
    expect(change).toMatchObject({ change: 'repartitioned', before: 'as words', after: '12 partitions' });
  });

  test('a store in another form, and a global store', () => {
    expect(told(counting(), counting({ persistent: false }))).toEqual(['store counts changed']);
    expect(told(counting({ global: 'a' }), counting({ global: 'b' }))).toEqual(['global-store global-rows changed']);
    expect(told(counting({ global: 'a' }), counting())).toEqual(['global-store global-rows orphaned']);
  });
});

test('what is only added keeps all state', () => {
  const bigger = () => {
    const builder = new StreamsBuilder();
    const words = builder.stream(text('words'));
    const grouped = words.groupBy((_key, word) => word, { as: 'by-word', keySerde: Serdes.string });
    grouped.count({ store: 'counts' }).toStream().to(counts('out'));
    grouped.reduce((_a, b) => b, { store: 'latest' });
    return builder.build();
  };
  const { changes, keepsState } = diffTopologies(counting(), bigger());
  expect(changes.map(({ name, change }) => [name, change])).toEqual([
    ['latest', 'created'],
    ['latest-changelog', 'created'],
  ]);
  expect(keepsState).toBe(true);
});

test('the two topics and the store of a foreign-key join', () => {
  const joined = (as: string) => {
    const builder = new StreamsBuilder();
    const right = builder.table(text('right'), { store: 'right' });
    const rows = builder.table(text('left'), { store: 'left' }).join(
      right,
      (v) => v,
      (l, r) => l + r,
      { as },
    );
    rows.toStream().to(text('out'));
    return builder.build();
  };
  const orphaned = told(joined('fk'), joined('join')).filter((line) => line.endsWith('orphaned'));
  expect(orphaned).toEqual([
    'store fk-subscription-store orphaned',
    'changelog fk-subscription-store-changelog orphaned',
    'repartition-topic fk-subscription-registration-topic orphaned',
    'repartition-topic fk-subscription-response-topic orphaned',
  ]);
});

test('Mermaid shows sub-topologies, topics and stores, and is not broken by a quote', () => {
  const builder = new StreamsBuilder();
  builder
    .stream(text('words'))
    .peek(() => {}, { as: 'say "hi"' })
    .groupByKey()
    .count({ store: 'counts' });
  expect(builder.build().describe('mermaid')).toBe(`flowchart TD
  subgraph sub0["Sub-topology 0"]
    n0["KSTREAM-SOURCE-0000000000"]
    n1["say #quot;hi#quot;"]
    n2["KSTREAM-AGGREGATE-0000000002"]
    s3[("counts")]
  end
  t4>"words"]
  t4 --> n0
  n0 --> n1
  n1 --> n2
  n2 -.- s3
`);
});
