import { expect, test } from 'vitest';
import type { ConsumedRecord, FetchedBatch, Fetcher, FetcherOptions, TopicPartition } from '../kafka/port.ts';
import { type FedTask, TaskFeed } from './task-feed.ts';

const a = { topic: 'a', partition: 0 };
const b = { topic: 'b', partition: 0 };

/** A feed for a task of two inputs, whose fetches and slices the test makes. */
function setUp() {
  const told: string[] = [];
  const names = { pause: 'holds', resume: 'goes on with', assign: 'reads', unassign: 'leaves' };
  const say = (what: keyof typeof names) => (at: TopicPartition) => void told.push(`${names[what]} ${at.topic}`);
  const fetcher: Fetcher = {
    assign: say('assign'),
    unassign: say('unassign'),
    pause: say('pause'),
    resume: say('resume'),
    close: async () => {},
  };
  let fetched: FetcherOptions['onBatch'] = () => {};
  const feed = new TaskFeed({
    applicationId: 'app',
    kafka: {
      fetcher: ({ onBatch }) => {
        fetched = onBatch;
        return fetcher;
      },
    },
    isolation: 'read_committed',
    log: () => {},
    ending: new AbortController().signal,
    onTaken: () => {},
    onWaiting: () => {},
    onFailed: (error) => {
      throw error;
    },
  });
  const [ends, positions] = [new Map<string, number>(), new Map<string, number>()];
  const task: FedTask = {
    inputs: [a, b],
    prepare: () => undefined,
    addRecords: ({ topic, nextOffset }) => void ends.set(topic, nextOffset),
    buffered: ({ topic }) => (ends.get(topic) ?? 0) - (positions.get(topic) ?? 0),
  };
  feed.open();
  for (const input of [a, b]) feed.read(input, 0, task);
  told.length = 0;
  return {
    feed,
    /** What the fetcher has been told since the last call. */
    told: () => told.splice(0),
    fetch: ({ topic }: TopicPartition, count: number, valueBytes = 1) => {
      const start = ends.get(topic) ?? 0;
      const value = new Uint8Array(valueBytes);
      const records = Array.from({ length: count }, (_, index): ConsumedRecord => {
        return { topic, partition: 0, offset: start + index, timestamp: 0, key: null, value, headers: [] };
      });
      const end = start + count;
      const batch: FetchedBatch = {
        ...{ topic, partition: 0, records, nextOffset: end },
        ...{ highWatermark: end, lastStableOffset: end, logStartOffset: 0 },
      };
      fetched(batch);
    },
    process: ({ topic }: TopicPartition, count: number) => {
      positions.set(topic, (positions.get(topic) ?? 0) + count);
      feed.resumeDrained();
    },
  };
}

test('an input is held above 10,000 records and goes on at 2,000, not in between; the other goes its own way', () => {
  const { told, fetch, process } = setUp();
  fetch(a, 10_000);
  expect(told()).toEqual([]);
  fetch(a, 1);
  fetch(a, 500); // was on its way
  fetch(b, 10);
  expect(told()).toEqual(['holds a']);
  process(a, 8_500);
  expect(told()).toEqual([]);
  process(a, 1);
  expect(told()).toEqual(['goes on with a']);
  process(a, 1_000);
  fetch(a, 5_000);
  expect(told()).toEqual([]);
});

test('bytes hold it as records do: a task has 16 MB, half of which is for each of its two inputs', () => {
  const { told, fetch, process } = setUp();
  const mb = 1 << 20;
  for (let batch = 0; batch < 7; batch += 1) fetch(a, 1, mb);
  expect(told()).toEqual([]);
  fetch(a, 1, mb); // with what a record takes beside its bytes
  expect(told()).toEqual(['holds a']);
  // One that is empty is never held because of another one: that might wait for it.
  fetch(b, 1, mb);
  expect(told()).toEqual([]);
  process(a, 6);
  expect(told()).toEqual([]);
  process(a, 1);
  expect(told()).toEqual(['goes on with a']);
});

test('the bytes of a batch become fewer with each of its records that is processed', () => {
  const { told, fetch, process } = setUp();
  fetch(a, 1_000, 10_000);
  expect(told()).toEqual(['holds a']);
  process(a, 790);
  expect(told()).toEqual([]);
  process(a, 3);
  expect(told()).toEqual(['goes on with a']);
});

test('a record that is larger than all that is allowed comes through', () => {
  const { told, fetch, process } = setUp();
  fetch(a, 1, 20 << 20);
  process(a, 1);
  fetch(a, 1);
  expect(told()).toEqual(['holds a', 'goes on with a']);
});

test('what an input held is not held against its next owner', () => {
  const { feed, told, fetch } = setUp();
  fetch(a, 1, 20 << 20);
  feed.forget(a);
  const next = { inputs: [a], prepare: () => undefined, addRecords() {}, buffered: () => 0, position: () => 0 };
  feed.read(a, 0, next);
  expect(told()).toEqual(['holds a', 'leaves a', 'reads a']);
  fetch(a, 1);
  expect(told()).toEqual([]);
});
