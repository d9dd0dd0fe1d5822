import { expect, test } from 'vitest';
import { type ProcessingGuarantee, Serdes, StreamsBuilder, StreamsWorker } from '../index.ts';
import type { ConsumedRecord } from '../kafka/index.ts';
import { kafkaForTests } from '../test/kafka-for-tests.ts';
import { readDeadLetter } from './dead-letter.ts';

const own = kafkaForTests('production-test');

/** All records of partition 0 so far, as they come. */
function follow(topic: string): { readonly records: ConsumedRecord[]; readonly close: () => Promise<void> } {
  const records: ConsumedRecord[] = [];
  const fetcher = own.kafka.fetcher({
    isolation: 'read_committed',
    onBatch: (batch) => void records.push(...batch.records),
    onOutOfRange: () => {},
    onError: () => {},
  });
  fetcher.assign({ topic, partition: 0 }, 0);
  return { records, close: () => fetcher.close() };
}

test.each(['exactly_once', 'at_least_once'] as const)(
  "a record of a time that its topic does not take is a dead letter, and nothing stops: the application's own topics take it (%s)",
  async (processingGuarantee: ProcessingGuarantee) => {
    const [from, to, recent] = [
      `any-${processingGuarantee}`,
      `hour-${processingGuarantee}`,
      `recent-${processingGuarantee}`,
    ];
    const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
    await own.kafka.createTopics([
      { name: from, partitions: 1, config: { 'message.timestamp.after.max.ms': '9223372036854775807' } },
      { name: to, partitions: 1 }, // an hour ahead, as Kafka has it
      { name: recent, partitions: 1, config: { 'message.timestamp.before.max.ms': '86400000' } },
    ]);
    const builder = new StreamsBuilder();
    const stream = builder.stream(text(from));
    stream.to(text(to));
    // Over a repartition topic, into a store with a changelog.
    const counts = stream.groupBy((_key, value) => value, { keySerde: Serdes.string }).count({ store: 'counts' });
    counts.toStream().mapValues(String).to(text(recent));
    const now = Date.now();
    const times = [now, now + 7_200_000, now - 90_000_000, now];
    const producer = await own.kafka.producer();
    await producer.send(
      times.map((timestamp, index) => ({
        topic: from,
        partition: 0,
        timestamp,
        key: Buffer.from('k'),
        value: Buffer.from(`value ${index}`),
        headers: [],
      })),
    );
    await producer.close();
    const logged: string[] = [];
    const applicationId = `times-${processingGuarantee}`;
    const worker = new StreamsWorker({
      applications: [{ applicationId, topology: builder.build() }],
      bootstrapServers: own.bootstrapServers,
      stateDir: own.stateDir,
      instanceId: applicationId,
      processingGuarantee,
      onProductionError: 'dead-letter',
      log: (_level, event, message) => logged.push(`${event}: ${message}`),
    });
    await worker.start();
    const [hour, late] = [follow(to), follow(recent)];
    const [letters, behind] = [follow(`${from}.dlq`), follow(`${applicationId}-counts-repartition.dlq`)];
    const timesOf = ({ records }: { readonly records: readonly ConsumedRecord[] }) =>
      records.map((record) => readDeadLetter(record).timestamp);
    await expect
      .poll(() => [hour, late, letters, behind].map(timesOf), { timeout: 20_000 })
      .toEqual([[now, now - 90_000_000, now], [now, now], [now + 7_200_000], [now + 7_200_000, now - 90_000_000]]);
    expect(letters.records[0]?.timestamp).toBeLessThan(now + 3_600_000);
    expect(logged.filter((line) => line.startsWith('application-failed'))).toEqual([]);
    await Promise.all([hour, late, letters, behind, worker].map((one) => one.close()));
  },
  60_000,
);

test.each(['exactly_once', 'at_least_once'] as const)(
  'a record too large for its topic is a dead letter, and many small ones fit it, in batches as it takes them (%s)',
  async (processingGuarantee: ProcessingGuarantee) => {
    const [from, to] = [`in-${processingGuarantee}`, `out-${processingGuarantee}`];
    const topic = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
    await own.kafka.createTopics([
      { name: from, partitions: 1 },
      { name: to, partitions: 1, config: { 'max.message.bytes': '20000' } },
    ]);
    const builder = new StreamsBuilder();
    builder.stream(topic(from)).to(topic(to));
    const producer = await own.kafka.producer();
    const record = (index: number, bytes: number) => ({
      topic: from,
      partition: 0,
      timestamp: 1_000 + index,
      key: Buffer.from('k'),
      value: Buffer.alloc(bytes, index),
      headers: [],
    });
    // 19,927 is the most that fits: a batch of one has 61 bytes of its own, the record 12 beside its value.
    const sizes = [...Array.from({ length: 100 }, () => 1_000), 50_000, 19_927, 19_928, 1_000];
    await producer.send(sizes.map((bytes, index) => record(index, bytes)));
    await producer.close();
    const worker = new StreamsWorker({
      applications: [
        { applicationId: `app-${processingGuarantee}`, topology: builder.build(), onProductionError: 'dead-letter' },
      ],
      bootstrapServers: own.bootstrapServers,
      stateDir: own.stateDir,
      instanceId: processingGuarantee,
      processingGuarantee,
      onProductionError: 'continue', // of applications that say nothing of their own
    });
    await worker.start();
    const [out, letters] = [follow(to), follow(`${from}.dlq`)];
    await expect.poll(() => [out.records.length, letters.records.length], { timeout: 20_000 }).toEqual([102, 2]);
    expect(out.records.map(({ value }) => value?.length)).toEqual(sizes.filter((size) => size < 19_928));
    expect(letters.records.map(({ value }) => value?.length)).toEqual([50_000, 19_928]);
    await Promise.all([out.close(), letters.close(), worker.close()]);
  },
  60_000,
);
