import { describe, expect, test } from 'vitest';
import {
  InvalidArgumentError,
  Serdes,
  SessionWindows,
  SlidingWindows,
  Stores,
  StreamsBuilder,
  TimeWindows,
  UnnamedOperatorError,
} from '../index.ts';

const numbers = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.integer });

test.each<readonly [string, () => unknown]>([
  ['no size', () => TimeWindows.ofSizeWithNoGrace(0)],
  ['a negative grace', () => TimeWindows.ofSizeAndGrace(10, -1)],
  ['no advance', () => TimeWindows.ofSizeWithNoGrace(10).advanceBy(0)],
  ['an advance above the size', () => TimeWindows.ofSizeWithNoGrace(10).advanceBy(11)],
  ['part of a millisecond', () => TimeWindows.ofSizeWithNoGrace(1.5)],
  ['no number', () => TimeWindows.ofSizeWithNoGrace(Number.NaN)],
  ['a negative difference', () => SlidingWindows.ofTimeDifferenceWithNoGrace(-1)],
  ['a negative grace of sliding windows', () => SlidingWindows.ofTimeDifferenceAndGrace(1, -1)],
  ['no gap', () => SessionWindows.ofInactivityGapWithNoGrace(0)],
  ['a negative grace of sessions', () => SessionWindows.ofInactivityGapAndGrace(5, -1)],
  ['a store of windows without a size', () => Stores.window({ ...numbers('s'), windowSizeMs: 0, retentionMs: 5 })],
  ['a store that forgets windows too soon', () => Stores.window({ ...numbers('s'), windowSizeMs: 6, retentionMs: 5 })],
  ['a store of sessions that keeps nothing', () => Stores.session({ ...numbers('s'), retentionMs: -1 })],
])('%s is refused', (_what, make) => {
  expect(make).toThrow(InvalidArgumentError);
});

test('what Kafka Streams takes is taken', () => {
  expect(SlidingWindows.ofTimeDifferenceWithNoGrace(0).timeDifferenceMs).toBe(0);
  expect([...TimeWindows.ofSizeAndGrace(7, 1).advanceBy(3).startsOf(10)]).toEqual([6, 9]);
  expect([...TimeWindows.ofSizeWithNoGrace(10).advanceBy(5).startsOf(3)]).toEqual([0]);
});

describe('a retention that would forget what still takes records is refused while the topology is built', () => {
  const grouped = () => new StreamsBuilder().stream(numbers('in')).groupByKey();
  test.each<readonly [string, number, (retentionMs: number) => unknown]>([
    [
      'hopping',
      15,
      (retentionMs) =>
        grouped().windowedBy(TimeWindows.ofSizeAndGrace(10, 5).advanceBy(2)).count({ store: 's', retentionMs }),
    ],
    [
      'sliding',
      25,
      (retentionMs) =>
        grouped().windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(10, 5)).count({ store: 's', retentionMs }),
    ],
    [
      'session',
      15,
      (retentionMs) =>
        grouped().windowedBy(SessionWindows.ofInactivityGapAndGrace(10, 5)).count({ store: 's', retentionMs }),
    ],
  ])('%s', (_kind, leastMs, build) => {
    expect(() => build(leastMs)).not.toThrow();
    expect(() => build(leastMs - 1)).toThrow(/store s: a retention of .* is too short/);
  });
});

test('a cogroup of two streams with changed keys needs names for their topics', () => {
  const build = (as: { as?: string }) => {
    const builder = new StreamsBuilder();
    const [one, other] = ['one', 'other'].map((name) => builder.stream(numbers(name)).selectKey((key) => key));
    if (one === undefined || other === undefined) throw new Error('two streams were made');
    const serdes = { keySerde: Serdes.string };
    one
      .groupByKey(serdes)
      .cogroup<number>((_key, value, sum) => sum + value)
      .cogroup(other.groupByKey({ ...serdes, ...as }), (_key, value, sum) => sum - value)
      .aggregate(() => 0, { store: 'sums', valueSerde: Serdes.integer });
    return builder.build();
  };
  expect(() => build({})).toThrow(UnnamedOperatorError);
  const topics = build({ as: 'returned' })
    .plan('app')
    .subTopologies.flatMap(({ sources }) => sources.map(({ topic }) => topic));
  expect(topics.sort()).toEqual(['app-returned-repartition', 'app-sums-repartition', 'one', 'other']);
});
