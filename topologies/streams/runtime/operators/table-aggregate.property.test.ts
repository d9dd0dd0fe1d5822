import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type KGroupedTable, type Serde, Serdes, StreamsBuilder, TopologyTestDriver } from '../../index.ts';
import { type Played, playedTo, send, text } from '../../test/played.ts';

const numberOf = (value: string): number => Number(value.slice(1));

/** By letter; what begins with z is in no group. */
const groupOf = (value: string | undefined): string | null =>
  value === undefined || value.startsWith('z') ? null : value.slice(0, 1);

type Group = readonly number[];
const group = Serdes.json<Group>();
const sink = <T>() => ({ name: 'out', keySerde: Serdes.string, valueSerde: Serdes.json<T>() });

interface Aggregation {
  readonly name: string;
  readonly build: (grouped: KGroupedTable<string, number>) => void;
  /** What the rows of a group give; `undefined`: there is no such group. */
  readonly of: (rows: Group, hadRows: boolean) => unknown;
}

const aggregations: readonly Aggregation[] = [
  {
    name: 'count',
    build: (grouped) => grouped.count({ store: 'groups' }).mapValues(Number).toStream().to(sink()),
    of: (rows, hadRows) => (hadRows ? rows.length : undefined),
  },
  {
    name: 'reduce',
    build: (grouped) =>
      grouped
        .reduce(
          (sum, value) => sum + value,
          (sum, value) => sum - value,
          { store: 'groups' },
        )
        .toStream()
        .to(sink()),
    of: (rows, hadRows) => (hadRows ? rows.reduce((sum, value) => sum + value, 0) : undefined),
  },
  {
    name: 'aggregate, where an empty group is none',
    build: (grouped) =>
      grouped
        .aggregate<Group>(
          () => [],
          (_letter, value, rows) => [...rows, value].sort((a, b) => a - b),
          (_letter, value, rows) => (rows.length === 1 ? null : rows.toSpliced(rows.indexOf(value), 1)),
          { store: 'groups', valueSerde: group },
        )
        .toStream()
        .to(sink()),
    of: (rows) => (rows.length === 0 ? undefined : rows),
  },
];

const groupKey = Serdes.string as Serde<string | null>; // a row whose group is null never comes to it

test.each(aggregations)(
  '$name of a grouped table is that of the rows that it has now, after every record',
  ({ build, of }) => {
    const builder = new StreamsBuilder();
    const grouped = builder
      .table(text('in'), { store: 'rows' })
      .groupBy((_key, value) => [groupOf(value), numberOf(value)], { keySerde: groupKey, valueSerde: Serdes.integer });
    build(grouped as KGroupedTable<string, number>); // likewise
    const topology = builder.build();
    fc.assert(
      fc.property(playedTo(['in'], { maxLength: 30 }), (all) => {
        using driver = new TopologyTestDriver(topology);
        const out = driver.outputTopic(sink<unknown>());
        const rows = new Map<string, string>();
        const seen = new Set<string>();
        const result = (letter: string) => {
          const numbers = [...rows.values()].filter((value) => groupOf(value) === letter).map(numberOf);
          return of(
            numbers.sort((a, b) => a - b),
            seen.has(letter),
          );
        };
        for (const record of all) {
          const { key, value } = record as Played & { key: string }; // as they were asked for
          const left = groupOf(rows.get(key));
          const entered = groupOf(value ?? undefined);
          if (value === null) rows.delete(key);
          else rows.set(key, value);
          for (const letter of [left, entered]) if (letter !== null) seen.add(letter);
          send(driver, [record]);
          // A row that moves is first taken out of one group, then added to the other; within one group it is one update.
          const touched = [...new Set([left, entered])].filter((letter) => letter !== null);
          expect(out.readKeyValues()).toEqual(touched.map((letter) => [letter, result(letter) ?? null]));
        }
      }),
      { numRuns: 150 },
    );
  },
);
