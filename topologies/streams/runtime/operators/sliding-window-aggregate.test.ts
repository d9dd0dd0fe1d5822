import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EmitStrategy, Serdes, SlidingWindows, StreamsBuilder, WindowedSerdes } from '../../index.ts';
import { inputs, row, type Sent, sent, WindowedRun } from '../../test/windowed-run.ts';

/** All values of a key and window, in the order of their size. */
const lists = (windows: SlidingWindows, emitStrategy: EmitStrategy = 'onWindowUpdate') => {
  const builder = new StreamsBuilder();
  builder
    .stream(inputs('in'))
    .groupByKey()
    .windowedBy(windows)
    .emitStrategy(emitStrategy)
    .aggregate<readonly number[]>(
      () => [],
      (_key, value, list) => [...list, value].sort((a, b) => a - b),
      { store: 'lists', valueSerde: Serdes.json() },
    )
    .toStream()
    .to('out', { valueSerde: Serdes.json() });
  return builder.build();
};

const run = (windows: SlidingWindows, records: readonly Sent[], emitStrategy?: EmitStrategy) =>
  new WindowedRun(
    lists(windows, emitStrategy),
    WindowedSerdes.timeWindowed(Serdes.string, windows.timeDifferenceMs),
    records,
  );

/** Every window that its definition asks for: one that ends at each record, one right after it that is not empty. */
function bruteForce(differenceMs: number, all: readonly Sent[]): readonly string[] {
  const records = all.filter(({ value }) => value !== null);
  const rows = new Set<string>();
  for (const { key, timestamp } of records) {
    for (const start of [Math.max(0, timestamp - differenceMs), timestamp + 1]) {
      const end = start + differenceMs;
      const inside = records.filter((one) => one.key === key && one.timestamp >= start && one.timestamp <= end);
      if (key === null || inside.length === 0) continue;
      const values = inside.map(({ value }) => value ?? 0).sort((a, b) => a - b);
      rows.add(row(key, start, end, values, Math.max(...inside.map((one) => one.timestamp))));
    }
  }
  return [...rows].sort();
}

/** The last row of each window. */
const latest = (rows: readonly string[]): readonly string[] =>
  [...new Map(rows.map((one) => [one.split('=')[0], one])).values()].sort();

describe('sliding windows', () => {
  test('are those of a brute force, in any order of records and with crashes at any moment', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.array(sent(40), { maxLength: 25 }), (differenceMs, records) => {
        using driven = run(SlidingWindows.ofTimeDifferenceAndGrace(differenceMs, 1000), records);
        expect(latest(driven.rows())).toEqual(bruteForce(differenceMs, records));
      }),
      { numRuns: 200 },
    );
  });

  test('in order no grace is needed, and each is told once when it has closed', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.array(sent(60), { maxLength: 25 }), (differenceMs, unordered) => {
        const records = [...unordered].sort((a, b) => a.timestamp - b.timestamp);
        const last = { key: 'end', value: 0, timestamp: 1000 };
        const windows = SlidingWindows.ofTimeDifferenceWithNoGrace(differenceMs);
        using updates = run(windows, records);
        expect(latest(updates.rows())).toEqual(bruteForce(differenceMs, records));
        using finals = run(windows, [...records, last], 'onWindowClose');
        expect([...finals.rows()].sort()).toEqual(bruteForce(differenceMs, records));
      }),
      { numRuns: 100 },
    );
  });

  test('a crash at any moment changes no answer, also of late records', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.nat(15), fc.array(sent(60), { maxLength: 25 }), (differenceMs, graceMs, records) => {
        const windows = SlidingWindows.ofTimeDifferenceAndGrace(differenceMs, graceMs);
        for (const strategy of ['onWindowUpdate', 'onWindowClose'] as const) {
          using crashing = run(windows, records, strategy);
          using calm = run(
            windows,
            records.map((record) => ({ ...record, crash: null })),
            strategy,
          );
          expect(crashing.rows()).toEqual(calm.rows());
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a record is late once, be it for all of its windows or for some', () => {
    using driven = run(SlidingWindows.ofTimeDifferenceWithNoGrace(5), [
      { key: 'a', value: 1, timestamp: 20 },
      { key: 'a', value: 2, timestamp: 14 },
      { key: 'a', value: 3, timestamp: 16 },
    ]);
    expect(driven.rows()).toEqual([row('a', 15, 20, [1], 20), row('a', 15, 20, [1, 3], 20), row('a', 17, 22, [1], 20)]);
    expect(driven.drops('late')).toBe(2);
  });
});
