import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type EmitStrategy,
  type GraphOptions,
  Serdes,
  SessionWindows,
  StreamsBuilder,
  WindowedSerdes,
} from '../../index.ts';
import { inputs, row, type Sent, sent, WindowedRun } from '../../test/windowed-run.ts';

interface Setting {
  readonly windows: SessionWindows;
  readonly emitStrategy?: EmitStrategy;
  readonly semantics?: GraphOptions['semantics'];
  readonly retentionMs?: number;
}

const sums = ({ windows, emitStrategy = 'onWindowUpdate', semantics = 'strict', ...retention }: Setting) => {
  const builder = new StreamsBuilder({ semantics });
  builder
    .stream(inputs('in'))
    .groupByKey()
    .windowedBy(windows)
    .emitStrategy(emitStrategy)
    .aggregate<number>(
      () => 0,
      (_key, value, sum) => sum + value,
      (_key, one, other) => one + other,
      { store: 'sums', valueSerde: Serdes.integer, ...retention },
    )
    .toStream()
    .to('out', { valueSerde: Serdes.json() });
  return builder.build();
};

const run = (setting: Setting, records: readonly Sent[]) =>
  new WindowedRun(sums(setting), WindowedSerdes.sessionWindowed(Serdes.string), records);

interface Session {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly sum: number;
}

const rowOf = ({ key, start, end, sum }: Session) => row(key, start, end, sum, end);

/** Sessions in a plain list; what has closed is final. */
function oracle({ inactivityGapMs: gap, graceMs }: SessionWindows, records: readonly Sent[]) {
  let open: readonly Session[] = [];
  const updates: string[] = [];
  const finals: string[] = [];
  let newest = -1;
  let late = 0;
  for (const { key, value, timestamp } of records) {
    if (key === null || value === null) continue;
    newest = Math.max(newest, timestamp);
    const close = newest - graceMs - gap;
    const closed = open.filter(({ end }) => end < close);
    open = open.filter(({ end }) => end >= close);
    const near = open
      .filter((one) => one.key === key && one.end >= timestamp - gap && one.start <= timestamp + gap)
      .sort((a, b) => a.end - b.end);
    const joined = [{ key, start: timestamp, end: timestamp, sum: value }, ...near];
    const [start, end] = [Math.min(...joined.map((one) => one.start)), Math.max(...joined.map((one) => one.end))];
    if (end < close) late += 1;
    else {
      const session = { key, start, end, sum: joined.reduce((sum, one) => sum + one.sum, 0) };
      if (start !== end) updates.push(...near.map((one) => row(key, one.start, one.end, null, one.end)));
      updates.push(rowOf(session));
      open = [...open.filter((one) => !near.includes(one)), session];
    }
    const order = (a: Session, b: Session) => a.end - b.end || a.start - b.start || (a.key < b.key ? -1 : 1);
    finals.push(...closed.sort(order).map(rowOf));
  }
  return { updates, finals, late };
}

const windowsOf = fc
  .record({ gap: fc.integer({ min: 1, max: 8 }), grace: fc.nat(15) })
  .map(({ gap, grace }) => SessionWindows.ofInactivityGapAndGrace(gap, grace));

describe('sessions', () => {
  test('are those of a plain list, with ties, out of order and late, and with crashes at any moment', () => {
    fc.assert(
      fc.property(windowsOf, fc.nat(30), fc.array(sent(60), { maxLength: 30 }), (windows, more, records) => {
        const expected = oracle(windows, records);
        const retentionMs = windows.inactivityGapMs + windows.graceMs + more;
        for (const setting of [{ windows }, { windows, retentionMs }]) {
          using updates = run(setting, records);
          expect(updates.rows()).toEqual(expected.updates);
          using finals = run({ ...setting, emitStrategy: 'onWindowClose' }, records);
          expect(finals.rows()).toEqual(expected.finals);
        }
        using calm = run(
          { windows },
          records.map((record) => ({ ...record, crash: null })),
        );
        expect(calm.drops('late')).toBe(expected.late);
      }),
      { numRuns: 150 },
    );
  });

  test('with enough grace they do not depend on the order of records', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(sent(80), { maxLength: 30 }), (gap, records) => {
        using driven = run({ windows: SessionWindows.ofInactivityGapAndGrace(gap, 1000) }, records);
        const there = driven.driver.getSessionStore<string, number>('sums').all();
        const kept = there.map(([{ key, window }, sum]) =>
          rowOf({ key, start: window.startMs, end: window.endMs, sum }),
        );
        expect([...kept].sort()).toEqual(components(gap, records));
      }),
      { numRuns: 100 },
    );
  });

  test('null values are dropped and counted; the original aggregates them', () => {
    const windows = SessionWindows.ofInactivityGapWithNoGrace(5);
    const records = [{ key: 'a', value: null, timestamp: 7 }];
    using strict = run({ windows }, records);
    expect(strict.rows()).toEqual([]);
    expect(strict.drops('null-value')).toBe(1);
    using original = run({ windows, semantics: 'kafka-streams' }, records);
    expect(original.rows()).toEqual([row('a', 7, 7, 0, 7)]);
  });

  test('a table grouped from sessions takes out what a session of one moment held before', () => {
    const builder = new StreamsBuilder();
    builder
      .stream(inputs('in'))
      .groupByKey()
      .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(5))
      .count({ store: 'counts' })
      .groupBy(({ key }, count) => [key, Number(count)] as const, {
        as: 'by-key',
        keySerde: Serdes.string,
        valueSerde: Serdes.integer,
      })
      .reduce(
        (sum, count) => sum + count,
        (sum, count) => sum - count,
        { store: 'totals' },
      );
    using driven = new WindowedRun(
      builder.build(),
      WindowedSerdes.sessionWindowed(Serdes.string),
      [3, 3, 3, 5, 50, 50].map((timestamp) => ({ key: 'a', value: 1, timestamp })),
    );
    expect(driven.driver.getTimestampedKeyValueStore<string, number>('totals').get('a')?.value).toBe(6);
  });
});

/** Runs of times with no more than the gap between neighbours. */
function components(gap: number, all: readonly Sent[]): readonly string[] {
  const sessions: Session[] = [];
  const ordered = [...all].sort((a, b) => a.timestamp - b.timestamp);
  for (const { key, value, timestamp } of ordered) {
    if (key === null || value === null) continue;
    const at = sessions.findLastIndex((one) => one.key === key && one.end >= timestamp - gap);
    const before = sessions[at];
    if (before === undefined) sessions.push({ key, start: timestamp, end: timestamp, sum: value });
    else sessions[at] = { ...before, end: timestamp, sum: before.sum + value };
  }
  return sessions.map(rowOf).sort();
}
