import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CogroupedKStream,
  type GraphOptions,
  Serdes,
  SessionWindows,
  SlidingWindows,
  StreamsBuilder,
  TimeWindows,
  TopologyTestDriver,
  WindowedSerdes,
} from '../index.ts';
import { inputs, row, type Sent, sent, WindowedRun } from '../test/windowed-run.ts';

/** `in` is added, `out-going` taken away. */
function cogrouped(semantics: GraphOptions['semantics'] = 'strict') {
  const builder = new StreamsBuilder({ semantics });
  const group = (name: string) => builder.stream(inputs(name)).groupByKey();
  const both: CogroupedKStream<string, number> = group('in')
    .cogroup<number>((_key, value, sum) => sum + value)
    .cogroup(group('taken'), (_key, value, sum) => sum - value);
  return { builder, both };
}

const signed = (record: Sent): Sent =>
  record.topic === 'taken' && record.value !== null ? { ...record, value: -record.value } : record;

test('streams with aggregators of their own share a row; a crash at any moment changes no answer', () => {
  fc.assert(
    fc.property(fc.array(sent(9, ['in', 'taken']), { maxLength: 20 }), (records) => {
      const { builder, both } = cogrouped();
      both
        .aggregate(() => 0, { store: 'sums', valueSerde: Serdes.integer })
        .toStream()
        .to(inputs('out'));
      using driver = new TopologyTestDriver(builder.build());
      const sums = new Map<string, number>();
      const expected: (readonly [string, number])[] = [];
      for (const { topic = 'in', key, value, timestamp, crash } of records) {
        driver.inputTopic(inputs(topic)).send(key, value, timestamp);
        if (crash === 'idle') driver.crash();
        else if (crash) driver.crash(crash);
        driver.run();
        if (key === null || value === null) continue;
        const sum = (sums.get(key) ?? 0) + (topic === 'taken' ? -value : value);
        sums.set(key, sum);
        expected.push([key, sum]);
      }
      expect(driver.outputTopic(inputs('out')).readKeyValues()).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

describe('windows of a cogroup are those of one stream that has the records of all', () => {
  test.each(['tumbling', 'sliding', 'session'] as const)('%s', (kind) => {
    const options = { store: 'sums', valueSerde: Serdes.integer };
    const time = TimeWindows.ofSizeAndGrace(10, 3);
    const sliding = SlidingWindows.ofTimeDifferenceAndGrace(6, 3);
    const session = SessionWindows.ofInactivityGapAndGrace(4, 3);
    const merge = (_key: string, one: number, other: number) => one + other;
    const ofBoth = () => {
      const { builder, both } = cogrouped();
      const table =
        kind === 'session'
          ? both.windowedBy(session).aggregate(() => 0, merge, options)
          : both.windowedBy(kind === 'tumbling' ? time : sliding).aggregate(() => 0, options);
      table.toStream().to('out', { valueSerde: Serdes.json() });
      return builder.build();
    };
    const ofOne = () => {
      const builder = new StreamsBuilder();
      const add = (_key: string, value: number, sum: number) => sum + value;
      const grouped = builder.stream(inputs('in')).groupByKey();
      const table =
        kind === 'session'
          ? grouped.windowedBy(session).aggregate<number>(() => 0, add, merge, options)
          : grouped.windowedBy(kind === 'tumbling' ? time : sliding).aggregate<number>(() => 0, add, options);
      table.toStream().to('out', { valueSerde: Serdes.json() });
      return builder.build();
    };
    const keySerde =
      kind === 'session'
        ? WindowedSerdes.sessionWindowed(Serdes.string)
        : WindowedSerdes.timeWindowed(Serdes.string, kind === 'tumbling' ? 10 : 6);
    fc.assert(
      fc.property(fc.array(sent(40, ['in', 'taken']), { maxLength: 25 }), (records) => {
        using both = new WindowedRun(ofBoth(), keySerde, records);
        const alone = records.map(signed).map((record) => ({ ...record, topic: 'in', crash: null }));
        using one = new WindowedRun(ofOne(), keySerde, alone);
        expect(both.rows()).toEqual(one.rows());
      }),
      { numRuns: 60 },
    );
  });

  test('in the original each stream judges alone what is late, and a window that was forgotten begins anew', () => {
    const rowsOf = (semantics: GraphOptions['semantics']) => {
      const { builder, both } = cogrouped(semantics);
      const windows = TimeWindows.ofSizeWithNoGrace(10);
      const options = { store: 'sums', valueSerde: Serdes.integer };
      both
        .windowedBy(windows)
        .aggregate(() => 0, options)
        .toStream()
        .to('out', { valueSerde: Serdes.json() });
      using run = new WindowedRun(builder.build(), WindowedSerdes.timeWindowed(Serdes.string, 10), [
        { key: 'a', value: 5, timestamp: 1 },
        { key: 'a', value: 5, timestamp: 90 },
        { topic: 'taken', key: 'a', value: 3, timestamp: 2 },
      ]);
      return run.rows();
    };
    const first = [row('a', 0, 10, 5, 1), row('a', 90, 100, 5, 90)];
    expect(rowsOf('strict')).toEqual(first);
    expect(rowsOf('kafka-streams')).toEqual([...first, row('a', 0, 10, -3, 2)]);
  });
});
