import type { FetchedBatch, Fetcher } from '@bookstream/streams/kafka/port';
import { expect, test } from 'vitest';
import { PartitionFollower } from './partition-follower.ts';
import type { Sink } from './sink.ts';
import { stock } from './stock/projection.ts';

test('what cannot be decoded is told, shows in the status and moves no position', async () => {
  const told: string[] = [];
  const at = { topic: stock.tables[0]?.topic.name ?? '', partition: 0 };
  const records = {
    length: 1,
    [Symbol.iterator]: () => {
      throw new Error('the batch at 7 cannot be read');
    },
  };
  const batch: FetchedBatch = {
    ...at,
    records,
    nextOffset: 8,
    highWatermark: 8,
    lastStableOffset: 8,
    logStartOffset: 0,
  };
  const fetcher: Fetcher = {
    assign: () => queueMicrotask(() => follower.offer(batch)),
    unassign: () => {},
    pause: () => {},
    resume: () => {},
    close: async () => {},
  };
  const claim: Sink['claim'] = async (projection, build, topic, partition, whileLive) => ({
    ...{ projection, build, topic, partition, whileLive },
    epoch: 1,
    nextOffset: 7,
  });
  const follower = new PartitionFollower({
    ...at,
    projection: stock,
    sink: { claim } as Sink, // nothing is ever written
    fetcher,
    build: async () => 1,
    whileLive: false,
    onBad: async () => {},
    onError: ({ message }) => told.push(message),
    onMoved: () => {},
  });
  await expect.poll(() => told).toEqual(['the batch at 7 cannot be read']);
  const { state, nextOffset, error } = follower.status;
  expect([state, nextOffset, error?.message]).toEqual(['RETRYING', 7, told[0]]);
  await follower.close();
});
