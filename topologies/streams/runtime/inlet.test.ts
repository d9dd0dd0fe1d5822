import { expect, test } from 'vitest';
import { CorruptBatchError } from '../kafka/errors.ts';
import type { ConsumedRecord, FetchedBatch } from '../kafka/port.ts';
import { Holds } from './holds.ts';
import { Inlet } from './inlet.ts';

const partition = { topic: 't', partition: 0 };
const batch = (offset: number): FetchedBatch => ({
  ...partition,
  records: [],
  nextOffset: offset,
  highWatermark: 0,
  lastStableOffset: 0,
  logStartOffset: 0,
});

function setUp() {
  const calls: string[] = [];
  const holds = new Holds(() => ({ pause: () => calls.push('pause'), resume: () => calls.push('resume') }));
  const inlet = new Inlet({
    holds,
    onTaken: () => {},
    onWaiting: () => {},
    onFailed: (error) => calls.push(String(error)),
  });
  const taken: number[] = [];
  const schema = Promise.withResolvers<void>();
  const taker = {
    prepare: (one: FetchedBatch) => (one.nextOffset === 1 ? schema.promise : undefined),
    addRecords: (one: FetchedBatch) => taken.push(one.nextOffset),
  };
  return { calls, holds, inlet, taken, taker, schema };
}

test('a partition that waits for a schema and is full is fetched again when both are over', async () => {
  const { calls, holds, inlet, taken, taker, schema } = setUp();
  inlet.give(batch(1), taker);
  inlet.give(batch(2), taker);
  holds.hold(partition, 'full');
  holds.release(partition, 'full');
  expect(calls).toEqual(['pause']);
  holds.hold(partition, 'full');
  schema.resolve();
  await expect.poll(() => taken).toEqual([1, 2]);
  expect(calls).toEqual(['pause']);
  holds.release(partition, 'full');
  expect(calls).toEqual(['pause', 'resume']);
});

test('what waits of a partition that has moved is handed to nobody, and a new taker does not queue behind it', async () => {
  const { inlet, taken, taker, schema } = setUp();
  inlet.give(batch(1), taker);
  inlet.forget(partition);
  inlet.give(batch(5), taker);
  schema.resolve();
  await schema.promise;
  expect(taken).toEqual([5]);
});

test('a taker that fails with a batch that had waited is told, not thrown into the void', async () => {
  const { calls, inlet, taker, schema } = setUp();
  inlet.give(batch(1), {
    ...taker,
    addRecords: () => {
      throw new Error('closed');
    },
  });
  schema.resolve();
  await expect.poll(() => calls).toEqual(['pause', 'Error: closed']);
});

test('schemas are asked for by what can be read of a batch; what cannot is for its taker to find', () => {
  const { inlet } = setUp();
  const record: ConsumedRecord = { ...partition, offset: 0, timestamp: 0, key: null, value: null, headers: [] };
  const records = {
    length: 2,
    *[Symbol.iterator]() {
      yield record;
      throw new CorruptBatchError('the second');
    },
  };
  const [prepared, added]: [ConsumedRecord[][], FetchedBatch[]] = [[], []];
  inlet.give(
    { ...batch(2), records },
    {
      prepare: (one) => {
        prepared.push([...one.records]);
        return undefined;
      },
      addRecords: (one) => added.push(one),
    },
  );
  expect(prepared).toEqual([[record]]);
  expect(added[0]?.records).toBe(records);
});
