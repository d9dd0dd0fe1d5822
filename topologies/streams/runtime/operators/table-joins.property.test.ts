import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Serdes, StreamsBuilder, TopologyTestDriver } from '../../index.ts';
import { type Played, play, playedTo, send, type Told, text, told } from '../../test/played.ts';

const both = (left: string | null, right: string | null) => `${left}+${right}`;

/** No result for two values with the same letter. */
const bothOrNone = (left: string | null, right: string | null) => (left?.[0] === right?.[0] ? null : both(left, right));

describe('a stream with a table', () => {
  const records = playedTo(['stream', 'table'], { nullKeys: true });

  test.each(['inner', 'left'] as const)(
    '%s: each record meets the row that the last record of its key has left',
    (type) => {
      const builder = new StreamsBuilder();
      const table = builder.table(text('table'), { store: 'rows' });
      const stream = builder.stream(text('stream'));
      (type === 'left' ? stream.leftJoin(table, both) : stream.join(table, both)).to(text('out'));
      const topology = builder.build();
      fc.assert(
        fc.property(records, (all) => {
          const rows = new Map<string, string>();
          const expected = all.flatMap(({ topic, key, value, timestamp }): Told[] => {
            if (topic === 'table') {
              if (key !== null && value !== null) rows.set(key, value);
              else if (key !== null) rows.delete(key);
              return [];
            }
            const row = key === null ? null : (rows.get(key) ?? null);
            return value === null || (row === null && type === 'inner') ? [] : [[key, both(value, row), timestamp]];
          });
          expect(play(topology, all)).toEqual(expected);
        }),
        { numRuns: 150 },
      );
    },
  );

  test.each(['inner', 'left'] as const)('%s, versioned: each meets the row of its own time', (type) => {
    const builder = new StreamsBuilder();
    const table = builder.table(text('table'), { store: 'rows', versionedMs: 1000 });
    const stream = builder.stream(text('stream'));
    (type === 'left' ? stream.leftJoin(table, both) : stream.join(table, both)).to(text('out'));
    const topology = builder.build();
    fc.assert(
      fc.property(records, (all) => {
        const expected = all.flatMap(({ topic, key, value, timestamp }, at): Told[] => {
          if (topic === 'table' || value === null) return [];
          const versions = all
            .slice(0, at)
            .filter((one) => one.topic === 'table' && one.key === key && key !== null && one.timestamp <= timestamp);
          const row = versions.sort((a, b) => a.timestamp - b.timestamp).at(-1)?.value ?? null;
          return row === null && type === 'inner' ? [] : [[key, both(value, row), timestamp]];
        });
        expect(play(topology, all)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });
});

test.each(['inner', 'left'] as const)(
  'a stream with a global table, %s: each record meets the row that it names',
  (type) => {
    const builder = new StreamsBuilder();
    const table = builder.globalTable(text('table'), { store: 'rows' });
    const stream = builder.stream(text('stream'));
    const named = (_key: string, value: string) => (value.startsWith('z') ? null : value.startsWith('x') ? 'a' : 'b');
    (type === 'left' ? stream.leftJoin(table, named, both) : stream.join(table, named, both)).to(text('out'));
    const topology = builder.build();
    fc.assert(
      fc.property(playedTo(['stream', 'table'], { nullKeys: true }), (all) => {
        const rows = new Map<string, string>();
        const expected = all.flatMap(({ topic, key, value, timestamp }): Told[] => {
          if (topic === 'table') {
            if (key !== null && value !== null) rows.set(key, value);
            else if (key !== null) rows.delete(key);
            return [];
          }
          if (value === null) return [];
          const row = rows.get(named('', value) ?? '') ?? null;
          return row === null && type === 'inner' ? [] : [[key, both(value, row), timestamp]];
        });
        expect(play(topology, all)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  },
);

describe('two tables', () => {
  const types = ['inner', 'left', 'outer'] as const;
  const tables = (type: (typeof types)[number], kept: boolean) => {
    const builder = new StreamsBuilder();
    const [left, right] = [builder.table(text('left'), { store: 'ls' }), builder.table(text('right'), { store: 'rs' })];
    const options = kept ? { store: 'joined', valueSerde: Serdes.string } : {};
    const joined =
      type === 'inner'
        ? left.join(right, bothOrNone, options)
        : type === 'left'
          ? left.leftJoin(right, bothOrNone, options)
          : left.outerJoin(right, bothOrNone, options);
    joined.toStream().to(text('out'));
    return builder.build();
  };

  interface Row {
    readonly value: string;
    readonly timestamp: number;
  }

  test.each(types.flatMap((type) => [[type, true] as const, [type, false] as const]))(
    '%s, with a store: %s: every change of a result is told at once, as what the rows of both sides give now',
    (type, kept) => {
      const topology = tables(type, kept);
      fc.assert(
        fc.property(playedTo(['left', 'right'], { maxLength: 30 }), (all) => {
          using driver = new TopologyTestDriver(topology);
          const rows = { left: new Map<string, Row>(), right: new Map<string, Row>() };
          const result = (key: string): string | null => {
            const [left, right] = [rows.left.get(key), rows.right.get(key)];
            const there = { inner: left && right, left, outer: left ?? right }[type];
            return there === undefined ? null : bothOrNone(left?.value ?? null, right?.value ?? null);
          };
          const out = driver.outputTopic(text('out'));
          for (const record of all) {
            const { topic, key, value, timestamp } = record as Played & { topic: 'left' | 'right'; key: string }; // as they were asked for
            const before = result(key);
            if (value === null) rows[topic].delete(key);
            else rows[topic].set(key, { value, timestamp });
            const now = result(key);
            const other = rows[topic === 'left' ? 'right' : 'left'].get(key);
            send(driver, [record]);
            const said = out.readRecords().map((one): Told => [one.key, one.value, one.timestamp]);
            const expected: Told = [key, now, Math.max(timestamp, other?.timestamp ?? -1)];
            if (before !== now || said.length > 0) expect(said).toEqual([expected]);
          }
          if (!kept) return;
          const stored = [...driver.getKeyValueStore<string, { value: string }>('joined').all()];
          const expected = ['a', 'ab', 'b'].map((key) => [key, result(key)]).filter(([, value]) => value !== null);
          expect(stored.map(([key, { value }]) => [key, value])).toEqual(expected);
        }),
        { numRuns: 60 },
      );
    },
  );

  test('of a row that was never there nothing is told', () => {
    const record = { topic: 'left', key: 'a', value: null, timestamp: 1, crash: null };
    for (const type of types) {
      using driver = new TopologyTestDriver(tables(type, false));
      send(driver, [record]);
      expect(told(driver)).toEqual([]);
    }
  });
});
