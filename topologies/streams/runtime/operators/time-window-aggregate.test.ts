import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type EmitStrategy,
  type GraphOptions,
  Serdes,
  StreamsBuilder,
  TimeWindows,
  WindowedSerdes,
} from '../../index.ts';
import { inputs, row, type Sent, sent, WindowedRun } from '../../test/windowed-run.ts';

interface Setting {
  readonly windows: TimeWindows;
  readonly emitStrategy?: EmitStrategy;
  readonly semantics?: GraphOptions['semantics'];
  readonly retentionMs?: number;
}

/** Adds up per key and window; a row of 13 fails below. */
const sums = ({ windows, emitStrategy = 'onWindowUpdate', semantics = 'strict', ...retention }: Setting) => {
  const builder = new StreamsBuilder({ semantics });
  builder
    .stream(inputs('in'))
    .groupByKey()
    .windowedBy(windows)
    .emitStrategy(emitStrategy)
    .aggregate<number>(
      () => 0,
      (_key, value, sum) => sum + (value ?? 100),
      { store: 'sums', valueSerde: Serdes.integer, ...retention },
    )
    .toStream()
    .peek((_key, sum) => {
      if (sum === 13) throw new Error('13 is refused');
    })
    .to('out', { valueSerde: Serdes.json() });
  return builder.build();
};

const run = (setting: Setting, records: readonly Sent[]) =>
  new WindowedRun(sums(setting), WindowedSerdes.timeWindowed(Serdes.string, setting.windows.sizeMs), records);

const windowsOf = fc
  .record({ size: fc.integer({ min: 1, max: 12 }), advance: fc.integer({ min: 1, max: 12 }), grace: fc.nat(15) })
  .map(({ size, advance, grace }) => TimeWindows.ofSizeAndGrace(size, grace).advanceBy(Math.min(size, advance)));

interface Cell {
  readonly key: string;
  readonly start: number;
  sum: number;
  time: number;
}

/** A fold over all records with a memory of everything. Without the refusal of 13. */
function oracle(windows: TimeWindows, records: readonly Sent[]) {
  const { sizeMs, advanceMs, graceMs } = windows;
  const cells: Cell[] = [];
  const updates: string[] = [];
  const finals: string[] = [];
  let newest = -1;
  let closed = -1;
  let late = 0;
  const rowOf = ({ key, start, sum, time }: Cell) => row(key, start, start + sizeMs, sum, time);
  for (const { key, value, timestamp } of records) {
    if (key === null || value === null) continue;
    newest = Math.max(newest, timestamp);
    const close = newest - graceMs;
    let isLate = false;
    for (let start = 0; start <= timestamp; start += advanceMs) {
      if (start + sizeMs <= timestamp) continue;
      if (start + sizeMs <= close) {
        isLate = true;
        continue;
      }
      let cell = cells.find((one) => one.key === key && one.start === start);
      if (cell === undefined) {
        cell = { key, start, sum: 0, time: timestamp };
        cells.push(cell);
      }
      cell.sum += value;
      cell.time = Math.max(cell.time, timestamp);
      updates.push(rowOf(cell));
    }
    if (isLate) late += 1;
    const now = cells.filter(({ start }) => start + sizeMs > closed && start + sizeMs <= close);
    finals.push(...now.sort((a, b) => a.start - b.start || (a.key < b.key ? -1 : 1)).map(rowOf));
    closed = Math.max(closed, close);
  }
  return { updates, finals, late };
}

/** 13 is refused below, so it must not come up here. */
const not13 = (records: readonly Sent[]) => records.filter(({ value }) => value === null || value % 2 === 0);

describe('tumbling and hopping windows', () => {
  test('are a fold over all records, with ties, out of order and late, and with crashes at any moment', () => {
    fc.assert(
      fc.property(windowsOf, fc.array(sent(40), { maxLength: 30 }), (windows, all) => {
        const records = not13(all);
        using updates = run({ windows }, records);
        const expected = oracle(windows, records);
        expect(updates.rows()).toEqual(expected.updates);
        using finals = run({ windows, emitStrategy: 'onWindowClose' }, records);
        expect(finals.rows()).toEqual(expected.finals);
      }),
      { numRuns: 150 },
    );
  });

  test('a record that fails below leaves nothing in them, not even its time', () => {
    fc.assert(
      fc.property(windowsOf, fc.array(sent(40), { maxLength: 20 }), (windows, records) => {
        using all = run({ windows }, records);
        const refused = new Set(
          all.driver.broker.records('in.dlq').map(({ headers }) => {
            const offset = headers.find(([name]) => name === 'origin-offset');
            return Number(Buffer.from(offset?.[1] ?? []).toString());
          }),
        );
        using others = run(
          { windows },
          records.filter((_record, offset) => !refused.has(offset)),
        );
        expect(all.rows()).toEqual(others.rows());
      }),
      { numRuns: 100 },
    );
  });

  test('a record is late once, however many of its windows have closed, and counts in the others', () => {
    const windows = TimeWindows.ofSizeWithNoGrace(10).advanceBy(5);
    using driven = run({ windows }, [
      { key: 'a', value: 1, timestamp: 12 },
      { key: 'a', value: 2, timestamp: 6 },
      { key: 'a', value: 4, timestamp: 1 },
    ]);
    expect(driven.rows()).toEqual([row('a', 5, 15, 1, 12), row('a', 10, 20, 1, 12), row('a', 5, 15, 3, 12)]);
    expect(driven.drops('late')).toBe(2);
  });
});

describe('null values', () => {
  const windows = TimeWindows.ofSizeWithNoGrace(10);
  const records = [
    { key: 'a', value: 1, timestamp: 5 },
    { key: 'a', value: null, timestamp: 20 },
    { key: 'a', value: 2, timestamp: 6 },
  ];

  test('are dropped and counted, and move no time', () => {
    using driven = run({ windows }, records);
    expect(driven.rows()).toEqual([row('a', 0, 10, 1, 5), row('a', 0, 10, 3, 6)]);
    expect(driven.drops('null-value')).toBe(1);
    expect(driven.drops('late')).toBe(0);
  });

  test('are aggregated where the original is wanted', () => {
    using driven = run({ windows, semantics: 'kafka-streams' }, records);
    expect(driven.rows()).toEqual([row('a', 0, 10, 1, 5), row('a', 20, 30, 100, 20)]);
    expect(driven.drops('late')).toBe(1);
  });

  test('null keys never are', () => {
    using driven = run({ windows, semantics: 'kafka-streams' }, [{ key: null, value: 1, timestamp: 5 }]);
    expect(driven.rows()).toEqual([]);
    expect(driven.drops('null-key')).toBe(1);
  });
});

describe('a window that closes in a jump of time', () => {
  const windows = TimeWindows.ofSizeAndGrace(10, 5);
  const records = [
    { key: 'a', value: 1, timestamp: 1 },
    { key: 'a', value: 1, timestamp: 1000 },
  ];

  test('is told', () => {
    using driven = run({ windows, emitStrategy: 'onWindowClose' }, records);
    expect(driven.rows()).toEqual([row('a', 0, 10, 1, 1)]);
  });

  test('is lost where the original is wanted', () => {
    using driven = run({ windows, emitStrategy: 'onWindowClose', semantics: 'kafka-streams' }, records);
    expect(driven.rows()).toEqual([]);
  });
});

test('windows are kept as long as was asked for, and swept then', () => {
  const windows = TimeWindows.ofSizeWithNoGrace(10);
  const records = [0, 10, 30, 60].map((timestamp) => ({ key: 'a', value: 1, timestamp }));
  using driven = run({ windows, retentionMs: 50 }, records);
  const starts = () =>
    driven.driver
      .getTimestampedWindowStore<string, number>('sums')
      .all()
      .map(([{ window }]) => window.startMs);
  expect(starts()).toEqual([10, 30, 60]);
  expect(driven.driver.getTimestampedWindowStore<string, number>('sums').fetch('a', 0)).toBeNull();
  driven.send({ key: 'a', value: 1, timestamp: 61 });
  driven.driver.crash();
  expect(starts()).toEqual([10, 30, 60]);
  // The row, its second one in the index, and nothing of the window that is gone.
  const latest = new Map(
    driven.driver.broker.records('test-sums-changelog').map(({ key, value }) => [String(key), value]),
  );
  expect([...latest.values()].filter((value) => value === null)).toHaveLength(2);
});
