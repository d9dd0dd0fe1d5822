import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Serdes, StreamsBuilder, StreamsWorker } from '../index.ts';
import { partitionForKey } from '../kafka/index.ts';
import { kafkaForTests } from '../test/kafka-for-tests.ts';

const own = kafkaForTests('parking-test');

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

test('what is parked outlives the instance and its disk, and is redriven in order, once', async () => {
  const { kafka, bootstrapServers, stateDir } = own;
  await kafka.createTopics(['in', 'out'].map((name) => ({ name, partitions: 2 })));
  const seen = new Map<string, string[]>();
  const reader = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => {
      for (const { key, value } of records) {
        const name = Buffer.from(key ?? []).toString();
        seen.set(name, [...(seen.get(name) ?? []), Buffer.from(value ?? []).toString()]);
      }
    },
    onOutOfRange: () => {},
    onError: () => {},
  });
  for (const partition of [0, 1]) reader.assign({ topic: 'out', partition }, 0);
  const producer = await kafka.producer();
  const send = async (topic: string, key: string, value: string | null): Promise<void> => {
    const bytes = Buffer.from(key);
    const partition = partitionForKey(bytes, 2);
    const record = { topic, partition, timestamp: Date.now(), key: bytes, headers: [] };
    await producer.send([{ ...record, value: value === null ? null : Buffer.from(value) }]);
  };
  let refuses = true;
  const started = async (instanceId: string): Promise<StreamsWorker> => {
    const builder = new StreamsBuilder();
    builder
      .stream(text('in'))
      .scan((all, value) => `${all}${value}`, '', { store: 'all', valueSerde: Serdes.string })
      .peek((_key, all) => {
        if (refuses && all.endsWith('b')) throw new Error('b is refused');
      })
      .to(text('out'));
    const worker = new StreamsWorker({
      applications: [{ applicationId: 'parks', topology: builder.build() }],
      bootstrapServers,
      stateDir,
      instanceId,
      onFailure: 'dead-letter',
      parkDeadLetters: true,
    });
    await worker.start();
    return worker;
  };

  const first = await started('one');
  for (const value of ['a', 'b', 'c']) await send('in', 'k', value);
  await send('in', 'other', 'x');
  await expect.poll(() => Object.fromEntries(seen), { timeout: 10_000 }).toEqual({ k: ['a'], other: ['x'] });
  const letters = [0, 1].map((partition) => ({ topic: 'in.dlq', partition }));
  await expect.poll(async () => [...(await kafka.endOffsets(letters)).values()].some((end) => end > 0)).toBe(true);
  await first.close();
  rmSync(join(stateDir, 'one'), { recursive: true, force: true });

  refuses = false;
  const second = await started('one');
  await send('in', 'k', 'd');
  await send('in', 'other', 'y');
  await expect.poll(() => seen.get('other'), { timeout: 10_000 }).toEqual(['x', 'xy']);
  expect(seen.get('k')).toEqual(['a']);
  await send('parks-0-redrive', 'k', null);
  await expect.poll(() => seen.get('k')?.length, { timeout: 10_000 }).toBe(4);
  await send('in', 'k', 'e');
  await expect.poll(() => seen.get('k')?.length, { timeout: 10_000 }).toBe(5);
  expect(seen.get('k')).toEqual(['a', 'ab', 'abc', 'abcd', 'abcde']);
  await Promise.all([second.close(), reader.close(), producer.close()]);
}, 90_000);
