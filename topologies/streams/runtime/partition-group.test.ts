import { describe, expect, test } from 'vitest';
import type { ConsumedRecord } from '../kafka/port.ts';
import { PartitionGroup } from './partition-group.ts';

const a = { topic: 'a', partition: 0 };
const b = { topic: 'b', partition: 0 };

/** Two inputs, and a clock that the test moves. */
function setUp(maxIdleMs: number) {
  const clock = { ms: 1_000 };
  const group = new PartitionGroup([a, b], maxIdleMs, () => clock.ms);
  const next = { a: 0, b: 0 };
  /** Records of these times, with as many behind them in the log. */
  const add = (topic: 'a' | 'b', times: readonly number[], lag = 0): void => {
    const records = times.map((timestamp): ConsumedRecord => {
      const offset = next[topic]++;
      return { topic, partition: 0, offset, timestamp, key: null, value: null, headers: [] };
    });
    const end = next[topic] + lag;
    const ends = { highWatermark: end, lastStableOffset: end, logStartOffset: 0 };
    group.add({ topic, partition: 0, records, nextOffset: next[topic], ...ends });
  };
  /** `<topic><time>` of all that can be taken now. */
  const take = (): string => {
    const taken: string[] = [];
    for (let record = group.peek(); record !== null; record = group.peek()) {
      taken.push(`${record.topic}${record.timestamp}`);
      group.take();
    }
    return taken.join(' ');
  };
  return { clock, group, add, take };
}

test('the smallest time of the heads is next; within an input the order is that of its offsets', () => {
  const { add, take, group } = setUp(0);
  add('a', [10, 5, 30]);
  add('b', [7, 20]);
  expect(take()).toBe('b7 a10 a5 b20 a30');
  expect(group.enforced).toBe(1); // a30, with b empty
});

describe.each([0, 50])('an empty input, with a wait of %d ms when it is at its end', (maxIdleMs) => {
  test('of which nothing is known yet is waited for, however long', () => {
    const { clock, add, take, group } = setUp(maxIdleMs);
    add('a', [1]);
    clock.ms += 100_000;
    expect([take(), group.enforced, group.idleEndsMs]).toEqual(['', 0, Number.POSITIVE_INFINITY]);
  });

  test('that is behind its log is waited for, however long, and its records go first', () => {
    const { clock, add, take, group } = setUp(maxIdleMs);
    add('a', [9]);
    add('b', [], 3); // markers and aborted records only
    clock.ms += 100_000;
    expect([take(), group.idleEndsMs]).toEqual(['', Number.POSITIVE_INFINITY]);
    add('b', [1, 2], 1);
    expect(take()).toBe('b1 b2');
    add('b', [10]);
    expect([take(), group.enforced]).toEqual(maxIdleMs === 0 ? ['a9 b10', 1] : ['a9', 0]);
  });

  test('that has been read behind its committed offset to the end is idle from there, without a record', () => {
    const { clock, add, take } = setUp(maxIdleMs);
    add('a', [1]);
    add('b', []);
    clock.ms += maxIdleMs;
    expect(take()).toBe('a1');
  });
});

test('one at its end is waited for as long as was asked, then passed, which is counted', () => {
  const { clock, add, take, group } = setUp(50);
  add('a', [1, 2]);
  add('b', []);
  expect([take(), group.idleEndsMs]).toEqual(['', 1_050]);
  clock.ms = 1_049;
  expect(take()).toBe('');
  clock.ms = 1_050;
  expect([take(), group.enforced, group.idleEndsMs]).toEqual(['a1 a2', 2, 1_100]);
});

test('the wait begins when the input is known to be at its end, and again when it becomes empty again', () => {
  const { clock, add, take } = setUp(50);
  add('a', [5, 6, 7]);
  add('b', [4], 1);
  expect(take()).toBe('b4');
  clock.ms = 2_000;
  add('b', []); // what was left was a marker
  expect(take()).toBe('');
  clock.ms = 2_049;
  add('b', []);
  add('b', [5]);
  expect(take()).toBe('a5 b5');
  clock.ms = 2_098;
  expect(take()).toBe('');
  clock.ms = 2_099;
  expect(take()).toBe('a6 a7');
});

test('-1: nothing is waited for, nor counted', () => {
  const { add, take, group } = setUp(-1);
  add('a', [1, 2]);
  expect(take()).toBe('a1 a2');
  add('b', [0], 5);
  expect([take(), group.enforced]).toEqual(['b0', 0]);
});

test('what was buffered before an abort says nothing of the log after it', () => {
  const { add, take, group } = setUp(0);
  add('b', []);
  group.clear();
  add('a', [1]);
  expect(take()).toBe('');
});
