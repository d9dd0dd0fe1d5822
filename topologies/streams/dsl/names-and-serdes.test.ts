import { describe, expect, test } from 'vitest';
import {
  JoinWindows,
  MissingSerdeError,
  Serdes,
  SessionWindows,
  StreamsBuilder,
  TimeWindows,
  UnnamedOperatorError,
} from '../index.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
const string = { keySerde: Serdes.string, valueSerde: Serdes.string };
const both = (left: unknown, right: unknown) => `${left}${right}`;
const windows = JoinWindows.of(5, 5, 0);
const tumbling = TimeWindows.ofSizeAndGrace(10, 0);

/** What an author may reach for: a stream as read, one whose key has changed (so its key serde is not known), and so on. */
const parts = (builder: StreamsBuilder) => {
  const stream = builder.stream(text('in'));
  return {
    builder,
    stream,
    changed: stream.selectKey((_key, value) => value, { as: 'changed' }),
    mapped: stream.mapValues((value) => value.length, { as: 'mapped' }),
    table: builder.table(text('rows'), { as: 'table', store: 'rows' }),
    bare: builder.table(text('bare-rows'), { as: 'bare' }),
  };
};
type Parts = ReturnType<typeof parts>;
type Refused = readonly [what: string, node: RegExp, build: (parts: Parts) => unknown];

/** Every message says that nothing was built and what to give. */
const cure = /nothing was built.*(give|name)|(give|name).*nothing was built/is;

const refused = (kind: typeof MissingSerdeError | typeof UnnamedOperatorError, [, node, build]: Refused) => {
  const attempt = () => {
    const all = parts(new StreamsBuilder());
    build(all);
    all.builder.build();
  };
  expect(attempt).toThrow(kind);
  expect(attempt).toThrow(node);
  expect(attempt).toThrow(cure);
};

describe('what keeps its name must be named', () => {
  const cases: readonly Refused[] = [
    ['repartition', /^in|KSTREAM-SOURCE-/, ({ stream }) => stream.repartition()],
    ['a table of a stream with a changed key', /changed/, ({ changed }) => changed.toTable(string)],
    ['a join with a table after a changed key', /changed/, ({ changed, table }) => changed.join(table, both, string)],
    [
      'a left join with a table after a changed key',
      /changed/,
      ({ changed, table }) => changed.leftJoin(table, both, string),
    ],
    ['a join of streams', /KSTREAM-SOURCE-.* and mapped/, ({ stream, mapped }) => stream.join(mapped, both, windows)],
    [
      'a left join of streams',
      /KSTREAM-SOURCE-.* and mapped/,
      ({ stream, mapped }) => stream.leftJoin(mapped, both, windows),
    ],
    [
      'an outer join of streams',
      /KSTREAM-SOURCE-.* and mapped/,
      ({ stream, mapped }) => stream.outerJoin(mapped, both, windows),
    ],
    ['a table that a stream looks up', /bare/, ({ stream, bare }) => stream.join(bare, both)],
    ['a table that a table looks up', /bare/, ({ table, bare }) => table.join(bare, both)],
    ['a left table that its join looks up', /bare/, ({ table, bare }) => bare.leftJoin(table, both)],
    ['a table that is grouped', /bare/, ({ bare }) => bare.groupBy((key, value) => [value, key] as const, string)],
    [
      'a table under a filter that is grouped',
      /bare/,
      ({ bare }) => bare.filter(() => true).groupBy((key, value) => [value, key] as const, string),
    ],
    [
      'a stream as a table that is looked up',
      /kept/,
      ({ stream, table }) => table.join(stream.toTable({ as: 'kept' }), both),
    ],
    ['a foreign-key join', /table with table/, ({ table }) => table.join(table, (value) => value, both)],
    ['a left foreign-key join', /table with table/, ({ table }) => table.leftJoin(table, (value) => value, both)],
    [
      'the left table of a foreign-key join',
      /bare/,
      ({ bare, table }) => bare.join(table, (value) => value, both, { as: 'fk' }),
    ],
    [
      'the right table of a foreign-key join',
      /bare/,
      ({ bare, table }) => table.join(bare, (value) => value, both, { as: 'fk' }),
    ],
    ['mapAsync', /changed/, ({ changed }) => changed.mapAsync(async (value) => value, { maxInFlight: 1 } as never)], // as plain JavaScript may
    ['suppress', /below table/, ({ table }) => table.suppress({ until: 'timeLimit', limitMs: 5 })],
    ['an operator that remembers', /mapped/, ({ mapped }) => mapped.pairwise({} as never)], // likewise
    [
      'a cogroup of streams whose keys have changed',
      /n is of several streams/,
      ({ changed, stream }) =>
        changed
          .groupByKey(string)
          .cogroup((_k, v, all: string) => all + v)
          .cogroup(stream.selectKey((_k, v) => v).groupByKey(string), (_k, v, all) => all + v)
          .aggregate(() => '', { store: 'n', valueSerde: Serdes.string }),
    ],
    [
      'the result of a foreign-key join that is looked up',
      /fk-result/,
      ({ table, stream }) =>
        stream.join(
          table.join(table, (value) => value, both, { as: 'fk' }),
          both,
        ),
    ],
  ];
  test.each(cases)('%s', (...one) => refused(UnnamedOperatorError, one));
});

describe('bytes need a serde', () => {
  const cases: readonly Refused[] = [
    ['a source without a key serde', /in /, ({ builder }) => builder.stream('in ', { valueSerde: Serdes.string })],
    ['a source without a value serde', /in /, ({ builder }) => builder.stream('in ', { keySerde: Serdes.string })],
    ['a table', /rows/, ({ builder }) => builder.table('rows', { store: 's' })],
    ['a global table', /rows/, ({ builder }) => builder.globalTable('rows', { store: 's' })],
    ['a sink, of a changed key', /leave needs a keySerde/, ({ changed }) => changed.to('out', { as: 'leave' })],
    ['a sink, of a changed value', /leave needs a valueSerde/, ({ mapped }) => mapped.to('out', { as: 'leave' })],
    [
      'a sink of two streams that are written in two ways',
      /leave needs a valueSerde/,
      ({ stream, builder }) =>
        stream.merge(builder.stream({ ...text('counts'), valueSerde: Serdes.integer })).to('out', { as: 'leave' }),
    ],
    [
      'a sink of two streams of which one is written in no known way',
      /leave needs a valueSerde/,
      ({ stream, mapped }) => stream.merge(mapped).to('out', { as: 'leave' }),
    ],
    ['repartition', /again-repartition needs a keySerde/, ({ changed }) => changed.repartition({ as: 'again' })],
    [
      'repartition of a changed value',
      /again-repartition needs a valueSerde/,
      ({ mapped }) => mapped.repartition({ as: 'again' }),
    ],
    ['a count of a changed key', /n needs a keySerde/, ({ changed }) => changed.groupByKey().count({ store: 'n' })],
    [
      'an aggregation without a serde for what it keeps',
      /n needs a valueSerde/,
      ({ stream }) =>
        stream.groupByKey().aggregate(
          () => 0,
          (_k, _v, sum) => sum + 1,
          { store: 'n' },
        ),
    ],
    [
      'a reduction of a changed value',
      /n needs a valueSerde/,
      ({ mapped }) => mapped.groupByKey().reduce((a) => a, { store: 'n' }),
    ],
    [
      'a grouping of a changed key and value',
      /by-repartition needs a valueSerde/,
      ({ mapped }) =>
        mapped.groupBy((_key, value) => `${value}`, { as: 'by', keySerde: Serdes.string }).count({ store: 'n' }),
    ],
    [
      'a windowed aggregation',
      /n needs a valueSerde/,
      ({ stream }) =>
        stream
          .groupByKey()
          .windowedBy(tumbling)
          .aggregate(
            () => 0,
            (_k, _v, sum) => sum + 1,
            { store: 'n' },
          ),
    ],
    [
      'a windowed count of a changed key',
      /n needs a keySerde/,
      ({ changed }) => changed.groupByKey().windowedBy(tumbling).count({ store: 'n' }),
    ],
    [
      'a reduction into sessions',
      /n needs a valueSerde/,
      ({ mapped }) =>
        mapped
          .groupByKey()
          .windowedBy(SessionWindows.ofInactivityGapAndGrace(5, 0))
          .reduce((a) => a, { store: 'n' }),
    ],
    [
      'a cogroup',
      /n needs a valueSerde/,
      ({ stream }) =>
        stream
          .groupByKey()
          .cogroup((_k, v, all: string) => all + v)
          .aggregate(() => '', { store: 'n' }),
    ],
    [
      'a stream of windows that leaves',
      /leave needs a keySerde/,
      ({ stream }) =>
        stream
          .groupByKey()
          .windowedBy(tumbling)
          .count({ store: 'n' })
          .toStream()
          .selectKey(({ key }) => key)
          .to('out', { as: 'leave' }),
    ],
    ['pairwise of a changed value', /pairs needs a valueSerde/, ({ mapped }) => mapped.pairwise({ store: 'pairs' })],
    [
      'distinctUntilChanged of a changed value',
      /last needs a valueSerde/,
      ({ mapped }) => mapped.distinctUntilChanged({ store: 'last' }),
    ],
    [
      'bufferCount of a changed key',
      /open needs a keySerde/,
      ({ changed }) => changed.bufferCount(2, { store: 'open' }),
    ],
    [
      'scan of a changed value and key',
      /sums-repartition needs a valueSerde/,
      ({ mapped }) =>
        mapped
          .selectKey((key) => key)
          .scan((sum: number, value) => sum + value, 0, {
            store: 'sums',
            keySerde: Serdes.string,
            valueSerde: Serdes.integer,
          }),
    ],
    [
      'mapAsync behind a changed value',
      /ask-repartition needs a valueSerde/,
      ({ mapped }) => mapped.mapAsync(async (value) => value, { as: 'ask', maxInFlight: 1 }),
    ],
    ['a table of a changed value', /s needs a valueSerde/, ({ mapped }) => mapped.toTable({ store: 's' })],
    [
      'a join of streams, the left value',
      /meet needs a valueSerde/,
      ({ stream, mapped }) => mapped.join(stream, both, windows, { as: 'meet' }),
    ],
    [
      'a join of streams, the right value',
      /meet needs an otherValueSerde/,
      ({ stream, mapped }) => stream.join(mapped, both, windows, { as: 'meet' }),
    ],
    [
      'a join of streams, the key',
      /meet needs a keySerde/,
      ({ changed }) => changed.join(changed, both, windows, { as: 'meet' }),
    ],
    [
      'a join with a table after a changed key',
      /meet-repartition needs a valueSerde/,
      ({ mapped, table }) => mapped.selectKey((key) => key).join(table, both, { as: 'meet', keySerde: Serdes.string }),
    ],
    [
      'mapped rows that are kept',
      /lengths/,
      ({ table }) => table.mapValues((value) => value.length, { as: 'lengths', store: 's' }),
    ],
    [
      'transformed rows that are kept',
      /lengths/,
      ({ table }) => table.transformValues((_k, v) => v?.length ?? 0, { as: 'lengths', store: 's' }),
    ],
    [
      'filtered rows that are kept',
      /even/,
      ({ table }) => table.mapValues((v) => v.length).filter(() => true, { as: 'even', store: 's' }),
    ],
    ['joined rows that are kept', /pair/, ({ table }) => table.join(table, both, { as: 'pair', store: 's' })],
    [
      'a grouped table, the key',
      /n needs a keySerde/,
      ({ table }) =>
        table.groupBy((key, value) => [value, key] as const, { valueSerde: Serdes.string }).count({ store: 'n' }),
    ],
    [
      'a grouped table, the value',
      /n needs a valueSerde/,
      ({ table }) =>
        table.groupBy((key, value) => [value, key] as const, { keySerde: Serdes.string }).count({ store: 'n' }),
    ],
    [
      'a foreign-key join, the right value',
      /fk needs the right table's valueSerde/,
      ({ table }) =>
        table.join(
          table.mapValues((value) => value),
          (value) => value,
          both,
          { as: 'fk' },
        ),
    ],
    [
      'a foreign-key join whose result is kept',
      /kept needs a valueSerde/,
      ({ table }) => table.join(table, (value) => value, both, { as: 'fk', store: 'kept' }),
    ],
  ];
  test.each(cases)('%s', (...one) => refused(MissingSerdeError, one));
});

test('with names and serdes given, each of them is built', () => {
  const { builder, stream, changed, mapped, table } = parts(new StreamsBuilder());
  changed.toTable({ ...string, store: 'of-changed' });
  stream.join(mapped, both, windows, { as: 'meet', otherValueSerde: Serdes.integer });
  table.groupBy((key, value) => [value, key] as const, string).count({ store: 'n' });
  table.join(table, (value) => value, both, { as: 'fk', store: 'kept', valueSerde: Serdes.string });
  expect(builder.build().description.subTopologies.length).toBeGreaterThan(0);
});
