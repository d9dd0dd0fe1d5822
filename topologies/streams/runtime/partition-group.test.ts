import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../kafka/bytes.ts';
import { CorruptBatchError } from '../kafka/errors.ts';
import type { ConsumedRecord } from '../kafka/port.ts';
import { readBatches, writeBatch } from '../kafka/record-batch.ts';
import { RecordPack } from '../kafka/record-pack.ts';
import { PartitionGroup } from './partition-group.ts';
import { UnreadableInputError } from './unreadable-input.ts';

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

/** As a broker sends them: in batches that begin below the position, with gaps where compaction or a marker has been. */
function sent(topic: string, batches: readonly (readonly number[])[], from: number, skipped: number) {
  const log = new ByteWriter(16);
  const offsets: number[] = [];
  let base = from;
  for (const times of batches) {
    const records = times.map((timestamp) => ({ topic, partition: 0, timestamp, key: null, value: null, headers: [] }));
    const [list] = RecordPack.of(records).lists;
    if (list === undefined) base += 1;
    else {
      const start = log.position;
      const stamp = { producerId: -1, producerEpoch: -1, baseSequence: -1, transactional: false };
      writeBatch(log, [{ list, from: 0, to: list.count }], stamp);
      log.bytes().writeBigInt64BE(BigInt(base), start);
      offsets.push(...times.map((_, at) => base + at));
      base += times.length;
    }
  }
  const position = from + skipped;
  const { records } = readBatches(topic, 0, Buffer.from(log.bytes()), position, null);
  const times = batches.flat();
  const wanted = offsets.flatMap((offset, at) => (offset < position ? [] : [{ topic, offset, time: times[at] ?? 0 }]));
  return { records, wanted, next: Math.max(base, position) };
}

describe('what is decoded when its turn comes', () => {
  type Model = { readonly topic: string; readonly offset: number; readonly time: number };
  const topic = fc.constantFrom('a', 'b');
  const batches = fc.array(fc.array(fc.nat(50), { maxLength: 4 }), { maxLength: 3 });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ does: fc.constant('add' as const), topic, batches, skipped: fc.nat(6) }) },
    { weight: 3, arbitrary: fc.record({ does: fc.constant('take' as const), count: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 3, arbitrary: fc.record({ does: fc.constant('at' as const), topic, index: fc.nat(12) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('clear' as const) }) },
  );
  const told = (record: ConsumedRecord | null) =>
    record && { topic: record.topic, offset: record.offset, time: record.timestamp };

  test('comes as from plain lists, however it was fetched, looked ahead at, taken and cleared', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const group = new PartitionGroup([a, b], -1, () => 0);
        const model = { a: [] as Model[], b: [] as Model[] };
        const next = { a: 0, b: 0 };
        const check = () => {
          for (const input of [a, b]) expect(group.buffered(input)).toBe(model[input.topic as 'a' | 'b'].length); // there are no others
        };
        for (const one of steps) {
          if (one.does === 'clear') {
            group.clear();
            model.a = [];
            model.b = [];
          } else if (one.does === 'add') {
            const { records, wanted, next: nextOffset } = sent(one.topic, one.batches, next[one.topic], one.skipped);
            const ends = { nextOffset, highWatermark: nextOffset, lastStableOffset: nextOffset, logStartOffset: 0 };
            group.add({ topic: one.topic, partition: 0, records, ...ends });
            expect(records.length).toBe(wanted.length);
            model[one.topic].push(...wanted);
            next[one.topic] = nextOffset;
          } else if (one.does === 'at') {
            const found = group.at({ topic: one.topic, partition: 0 }, one.index);
            expect(told(found)).toEqual(model[one.topic][one.index] ?? null);
          } else {
            for (let left = one.count; left > 0; left -= 1) {
              const [first, other] = [model.a[0], model.b[0]];
              const list = first === undefined || (other !== undefined && other.time < first.time) ? model.b : model.a;
              expect(told(group.peek())).toEqual(list[0] ?? null);
              group.take();
              list.shift();
              check();
            }
          }
          check();
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('an input stands still in front of a record that cannot be decoded, and all that stands before it is taken', () => {
  const { group, add, take } = setUp(0);
  const readable = [1, 2].map((timestamp, offset) => ({
    ...a,
    offset,
    timestamp,
    key: null,
    value: null,
    headers: [],
  }));
  const records = {
    length: 3,
    *[Symbol.iterator]() {
      yield* readable;
      throw new CorruptBatchError('the third');
    },
  };
  const ends = { highWatermark: 4, lastStableOffset: 4, logStartOffset: 0 };
  group.add({ ...a, records, nextOffset: 3, ...ends });
  group.add({ ...a, records: readable, nextOffset: 4, ...ends });
  add('b', [1, 2]);
  expect([0, 1, 2, 3].map((index) => group.at(a, index)?.timestamp)).toEqual([1, 2, undefined, undefined]);
  const taken: string[] = [];
  const takeAll = () => {
    for (let record = group.peek(); record !== null; record = group.peek()) {
      taken.push(`${record.topic}${record.timestamp}`);
      group.take();
    }
  };
  expect(takeAll).toThrow(UnreadableInputError);
  // Of b nothing more: what cannot be read may be earlier.
  expect(taken).toEqual(['a1', 'b1', 'a2']);
  expect(takeAll).toThrow('a record of a-0 cannot be read: the third');
  group.clear();
  add('b', [5]);
  expect(take()).toBe('');
});
