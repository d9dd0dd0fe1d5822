import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Serdes, StreamsBuilder } from '../index.ts';

/** What Kafka Streams 4.1.0 prints for the same topologies. */
const recorded: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'conformance', 'descriptions.json'), 'utf8'),
);

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const string = { keySerde: Serdes.string, valueSerde: Serdes.string };
const counts = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.long });
const both = (left: string, right: string | null) => `${left}${right}`;
const always = () => true;

const topologies: Readonly<Record<string, (builder: StreamsBuilder) => void>> = {
  stateless: (builder) =>
    builder
      .stream(text('in'))
      .filter(always)
      .mapValues((value) => value)
      .to('out', string),
  fan: (builder) => {
    const stream = builder.stream(text('in'));
    stream.filter(always).to('o1', string);
    stream
      .mapValues((value) => value)
      .filter(always)
      .to('o2', string);
    stream.to(() => 'o3', string);
  },
  'groupby-named': (builder) =>
    builder
      .stream(text('in'))
      .groupBy((_key, value) => value, { as: 'by', ...string })
      .count({ store: 'counts' })
      .toStream()
      .to(counts('out')),
  'groupby-unnamed': (builder) =>
    builder
      .stream(text('in'))
      .selectKey((_key, value) => value)
      .groupByKey(string)
      .count({ store: 'counts' })
      .toStream()
      .to(counts('out')),
  'table-table': (builder) =>
    builder
      .table(text('a'), { store: 'ta' })
      .join(builder.table(text('b'), { store: 'tb' }), both)
      .toStream()
      .to('out', string),
  'stream-table': (builder) =>
    builder
      .stream(text('a'))
      .join(builder.table(text('b')), both)
      .to('out', string),
  'fk-named': (builder) =>
    builder
      .table(text('l'), { store: 'ls' })
      .leftJoin(builder.table(text('r'), { store: 'rs' }), (value) => value, both, {
        as: 'fk',
        store: 'res',
        valueSerde: Serdes.string,
      })
      .toStream()
      .to('out', string),
  'fk-unnamed': (builder) =>
    builder
      .table(text('l'))
      .join(builder.table(text('r')), (value) => value, both)
      .toStream()
      .to('out', string),
  global: (builder) => {
    const stream = builder.stream(text('a'));
    stream.join(builder.globalTable(text('g'), { store: 'gs' }), (_key, value) => value, both).to('out', string);
  },
  'shared-grouping': (builder) => {
    const grouped = builder
      .stream(text('in'))
      .selectKey((_key, value) => value)
      .groupByKey({ as: 'g', ...string });
    grouped.count({ store: 'c1' });
    grouped.reduce((_a, b) => b, { store: 'c2' });
  },
  split: (builder) => {
    const { a, b } = builder.stream(text('in')).split({ as: 'sp' }).branch('a', always).defaultBranch('b');
    a.to('o1', string);
    b.merge(builder.stream(text('x'))).to('o2', string);
  },
};

/** Where ours says something else on purpose. */
const differences: Readonly<Record<string, readonly (readonly [RegExp, string])[]>> = {
  'fk-named': [[/(registration-processor \(stores: \[)/, '$1ls']], // reads the stored row to tell its version
  'fk-unnamed': [[/(REGISTRATION-0000000007 \(stores: \[)/, '$1l-STATE-STORE-0000000000']],
  global: [[/KSTREAM-LEFTJOIN/g, 'KSTREAM-JOIN']], // the original calls every join with a global table so
  split: [[/sp-(?=[ \n])/g, 'sp']], // our names of branches have their dash already
};

/** The original orders the nodes below one by what it has seen of them so far, ours by their names. */
const sorted = (text: string) =>
  text.replaceAll(/--> (.*)/g, (_line, names) => `--> ${names.split(', ').sort().join(', ')}`);

test.each(Object.entries(topologies))('%s', (name, build) => {
  const builder = new StreamsBuilder({ semantics: 'kafka-streams' });
  build(builder);
  const expected = (differences[name] ?? []).reduce((all, [from, to]) => all.replace(from, to), recorded[name] ?? '');
  expect(sorted(builder.build().describe())).toBe(sorted(expected));
});
