import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ProcessingGuarantee, StreamsWorker } from '../index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { applicationId, input, output, summing } from '../test/summing.ts';
import { connectKafka, type KafkaPort, UnsupportedBrokerError } from './index.ts';

let broker: KafkaBroker;
let kafka: KafkaPort;
let stateDir: string;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  // The features of Kafka 3.9: transactions are those of before KIP-890.
  broker = await startKafkaBroker({ format: ['--release-version', '3.9-IV0'] });
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'older-test' });
  await kafka.createTopics([input, output].map(({ name }) => ({ name, partitions: 1 })));
}, 120_000);
afterAll(async () => {
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

const workerOf = (processingGuarantee: ProcessingGuarantee) =>
  new StreamsWorker({
    applications: [{ applicationId, topology: summing() }],
    bootstrapServers: broker.bootstrapServers,
    stateDir,
    instanceId: 'one',
    processingGuarantee,
  });

test('exactly_once is refused with what is missing, what was not done and the cures; no topic was made', async () => {
  const worker = workerOf('exactly_once');
  const refused = await worker.start().then(
    () => null,
    (error: unknown) => error,
  );
  await worker.close();
  expect(refused).toBeInstanceOf(UnsupportedBrokerError);
  expect(String(refused)).toMatch(
    /exactly_once needs .* transaction\.version 2; these have \d, so nothing was started.*kafka-features\.sh .*transaction\.version=2.*at_least_once/s,
  );
  expect((await kafka.partitionCounts([`${applicationId}-sums-changelog`])).size).toBe(0);
});

test('at_least_once works there, also over a restart', async () => {
  const producer = await kafka.producer();
  const sums: number[] = [];
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => {
      for (const { value } of records) sums.push(output.valueSerde.deserialize(output.name, value ?? new Uint8Array()));
    },
    onOutOfRange: () => {},
    onError: (error) => {
      throw error;
    },
  });
  fetcher.assign({ topic: output.name, partition: 0 }, 0);
  for (const expected of [
    [1, 2, 3],
    [1, 2, 3, 4, 5, 6],
  ]) {
    const worker = workerOf('at_least_once');
    await worker.start();
    for (let count = 0; count < 3; count += 1) {
      const [key, value] = [input.keySerde.serialize(input.name, 'k'), input.valueSerde.serialize(input.name, 1)];
      await producer.send([{ topic: input.name, partition: 0, timestamp: Date.now(), key, value, headers: [] }]);
    }
    await expect.poll(() => sums, { timeout: 20_000 }).toEqual(expected);
    await worker.close();
  }
  await fetcher.close();
  await producer.close();
});
