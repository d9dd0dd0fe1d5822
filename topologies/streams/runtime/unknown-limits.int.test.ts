import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Serdes, StreamsBuilder, StreamsWorker, type StreamsWorkerOptions } from '../index.ts';
import { type ConsumedRecord, connectKafka, type KafkaPort, type TopicSpec } from '../kafka/index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { denySettings, password, user, withRights } from '../test/topic-rights.ts';
import { readDeadLetter } from './dead-letter.ts';

let broker: KafkaBroker;
/** Of who may do everything. */
let kafka: KafkaPort;
/** Of who may not read the settings of topics. */
let restricted: KafkaPort;
let stateDir: string;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  broker = await startKafkaBroker(withRights);
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'unknown-limits' });
  await denySettings(broker.bootstrapServers);
  restricted = await connectKafka({
    bootstrapServers: broker.secondServers,
    clientId: 'restricted',
    sasl: { mechanism: 'scram-sha-512', username: user, password },
  });
}, 120_000);
afterAll(async () => {
  await restricted?.close();
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

/** All records of partition 0 so far, as they come. */
function follow(topic: string): { readonly records: ConsumedRecord[]; readonly close: () => Promise<void> } {
  const records: ConsumedRecord[] = [];
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: (batch) => void records.push(...batch.records),
    onOutOfRange: () => {},
    onError: () => {},
  });
  fetcher.assign({ topic, partition: 0 }, 0);
  return { records, close: () => fetcher.close() };
}

interface Sent {
  readonly value: string;
  readonly timestamp?: number;
}

/** An application that copies `<name>-in` to `<name>-out`, a record whose value begins with `-` without its key. */
async function copying(
  name: string,
  outConfig: NonNullable<TopicSpec['config']>,
  sent: readonly Sent[],
  options: Pick<StreamsWorkerOptions, 'processingGuarantee' | 'onProductionError'>,
) {
  const text = (topic: string) => ({ name: topic, keySerde: Serdes.string, valueSerde: Serdes.string });
  const [from, to] = [`${name}-in`, `${name}-out`];
  await kafka.createTopics([
    { name: from, partitions: 1 },
    { name: to, partitions: 1, config: outConfig },
  ]);
  const builder = new StreamsBuilder();
  builder
    .stream(text(from))
    .map((key, value) => [value.startsWith('-') ? null : key, value])
    .to(text(to));
  const producer = await kafka.producer();
  await producer.send(
    sent.map(({ value, timestamp = Date.now() }, index) => ({
      topic: from,
      partition: 0,
      timestamp,
      key: Buffer.from(String(index)),
      value: Buffer.from(value),
      headers: [],
    })),
  );
  await producer.close();
  const logged: string[] = [];
  const worker = new StreamsWorker({
    applications: [{ applicationId: name, topology: builder.build() }],
    port: restricted,
    stateDir,
    instanceId: name,
    log: (level, event, message) => {
      if (level !== 'info') logged.push(`${event}: ${message}`);
    },
    ...options,
  });
  await worker.start();
  const [out, letters] = [follow(to), follow(`${from}.dlq`)];
  return {
    out: out.records,
    letters: letters.records,
    logged,
    failures: () => logged.filter((line) => line.startsWith('application-failed')),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([worker.close(), out.close(), letters.close()]);
    },
  };
}

/** Under at_least_once what came before a refusal comes again. */
const once = <T>(values: readonly T[], guarantee: string): readonly T[] =>
  guarantee === 'exactly_once' ? values : [...new Set(values)];
const lengths = (records: readonly ConsumedRecord[]) =>
  records.map(({ key, value }) => `${Buffer.from(key ?? []).toString()}: ${value?.length}`);

describe.each(['exactly_once', 'at_least_once'] as const)('where DescribeConfigs is refused (%s)', (guarantee) => {
  const options = { processingGuarantee: guarantee, onProductionError: 'dead-letter' } as const;

  test('many small records fit a topic with a small limit, in batches that are found out, without a failure', async () => {
    const sent = Array.from({ length: 300 }, (_, index) => ({ value: 'x'.repeat(1_000 + index) }));
    await using run = await copying(`small-${guarantee}`, { 'max.message.bytes': '20000' }, sent, options);
    await expect.poll(() => run.out.length).toBe(300);
    expect(run.out.map(({ value }) => value?.length)).toEqual(sent.map(({ value }) => value.length));
    expect(run.failures()).toEqual([]);
    expect(run.logged.join('\n')).toMatch(/limits-unknown: the settings of .*Allow DescribeConfigs/);
  });

  test('a record that the broker finds too large goes to its handler, and the others on', async () => {
    // 19,927 is the most that fits behind a key of 1 byte: a batch of one has 61 bytes of its own, the record 12 beside its value.
    const sizes = [...Array.from({ length: 97 }, () => 1_000), 50_000, 19_925, 30_000, 1_000];
    const sent = sizes.map((length) => ({ value: 'x'.repeat(length) }));
    await using run = await copying(`large-${guarantee}`, { 'max.message.bytes': '20000' }, sent, options);
    const expected = sizes.map((length, index) => `${index}: ${length}`);
    const isTaken = (line: string) => !line.endsWith(': 50000') && !line.endsWith(': 30000');
    await expect.poll(() => once(lengths(run.out), guarantee)).toEqual(expected.filter(isTaken));
    await expect.poll(() => once(lengths(run.letters), guarantee)).toEqual(expected.filter((line) => !isTaken(line)));
    for (const letter of run.letters) {
      const { reason, cause, target } = readDeadLetter(letter);
      expect([reason, target]).toEqual(['production', `large-${guarantee}-out`]);
      expect(cause).toMatch(/does not take a record of \d+ bytes: .*MESSAGE_TOO_LARGE \(10\)/);
    }
    expect(run.failures()).toHaveLength(2); // the second one is smaller than what was known then
  });

  test('so does one of a time that the topic does not take', async () => {
    const now = Date.now();
    const ages = [0, 90_000_000, 100_000_000, 1_000, 95_000_000];
    const sent = ages.map((age, index) => ({ value: `v${index}`, timestamp: now - age }));
    const config = { 'message.timestamp.before.max.ms': '86400000' };
    await using run = await copying(`old-${guarantee}`, config, sent, options);
    const values = (records: readonly ConsumedRecord[]) =>
      records.map(({ value }) => Buffer.from(value ?? []).toString());
    await expect.poll(() => once(values(run.out), guarantee)).toEqual(['v0', 'v3']);
    await expect.poll(() => once(values(run.letters), guarantee)).toEqual(['v1', 'v2', 'v4']);
    expect(readDeadLetter(run.letters[0] as ConsumedRecord).cause).toMatch(/INVALID_TIMESTAMP \(32\)/); // there are three
    expect(run.failures()).toHaveLength(1);
  });

  test('so does one without a key for a compacted topic', async () => {
    const sent = ['a', '-b', 'c', '-d'].map((value) => ({ value }));
    await using run = await copying(`keyless-${guarantee}`, { 'cleanup.policy': 'compact' }, sent, options);
    const values = (records: readonly ConsumedRecord[]) =>
      records.map(({ value }) => Buffer.from(value ?? []).toString());
    await expect.poll(() => once(values(run.out), guarantee)).toEqual(['a', 'c']);
    await expect.poll(() => once(values(run.letters), guarantee)).toEqual(['-b', '-d']);
    expect(run.failures()).toHaveLength(1);
  });
});

test('fail: the second refusal names the record, and what came before it is committed', async () => {
  const sent = [10, 10, 30_000, 10].map((length) => ({ value: 'x'.repeat(length) }));
  await using run = await copying('failing', { 'max.message.bytes': '20000' }, sent, { onProductionError: 'fail' });
  await expect.poll(() => run.failures().length).toBeGreaterThan(1);
  expect(run.failures()[1]).toMatch(
    /task 0_0 failed at failing-in-0@2: failing-out does not take a record of 30\d\d\d bytes/,
  );
  await expect.poll(() => run.out.length).toBe(2);
});

test('a letter too large for its dead-letter topic is cut', async () => {
  const name = 'letters';
  await kafka.createTopics([{ name: `${name}-in.dlq`, partitions: 1, config: { 'max.message.bytes': '5000' } }]);
  const sent = [10, 30_000, 10].map((length) => ({ value: 'x'.repeat(length) }));
  const options = { onProductionError: 'dead-letter' } as const;
  await using run = await copying(name, { 'max.message.bytes': '20000' }, sent, options);
  await expect.poll(() => [run.out.length, run.letters.length]).toEqual([2, 1]);
  expect(readDeadLetter(run.letters[0] as ConsumedRecord)).toMatchObject({ valueBytes: 30_000 });
});
