import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StreamsError } from '../errors.ts';
import { StreamsWorker } from '../index.ts';
import { type KafkaCluster, startKafkaCluster } from '../test/kafka-broker.ts';
import { input, output, summing } from '../test/summing.ts';
import { ClusterClient } from './cluster-client.ts';
import { connectKafka, type KafkaPort, type ProducedRecord, partitionForKey } from './index.ts';

const partitions = 3;
let cluster: KafkaCluster;
let kafka: KafkaPort;
let client: ClusterClient;
let stateDir: string;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  cluster = await startKafkaCluster(3, {
    // How long a broker may be silent before others lead and coordinate in its place; 9 s by default.
    properties: { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' },
  });
  const { bootstrapServers } = cluster;
  kafka = await connectKafka({ bootstrapServers, clientId: 'coordinators-test' });
  client = new ClusterClient({ bootstrapServers: bootstrapServers.split(','), clientId: 'coordinators-test' });
  const names = ['transaction', 'group'].flatMap((part) => [`${part}-in`, `${part}-out`, `${part}-stream`]);
  await kafka.createTopics(names.map((name) => ({ name, partitions })));
}, 120_000);
afterAll(async () => {
  client?.close();
  await kafka?.close();
  await cluster?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

interface Names {
  readonly application: string;
  readonly instance: string;
}

/**
 * An application and an instance of it for which `doomed` is a coordinator of one kind, and of the other kind is not. Both vary: the hashes of names
 * that differ in a suffix only go hand in hand, and on some clusters so do their coordinators.
 */
async function namesWith(part: 'transaction' | 'group', doomed: number, prefix: string): Promise<Names> {
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    const [application, instance] = [`${prefix}-${attempt % 10}`, `one-${Math.floor(attempt / 10)}`];
    const group = (await client.coordinator('group', application)) === doomed;
    const ids = await Promise.all(
      ['a', 'b'].map((id) => client.coordinator('transaction', `${application}/${instance}-${id}`)),
    );
    const wanted = part === 'transaction' ? !group && ids.includes(doomed) : group && !ids.includes(doomed);
    if (wanted) return { application, instance };
  }
  throw new Error(`no name was found for which broker ${doomed} is a coordinator of one kind only`);
}

/** Values of a topic by key, as they come. */
function follow(topic: string) {
  const seen = { values: new Map<string, number[]>(), count: 0 };
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => {
      for (const { key, value } of records) {
        const name = Buffer.from(key ?? []).toString();
        const list = seen.values.get(name) ?? [];
        seen.values.set(name, list);
        list.push(output.valueSerde.deserialize(topic, value ?? new Uint8Array()));
        seen.count += 1;
      }
    },
    onOutOfRange: () => {},
    onError: () => {}, // it goes on
  });
  for (let partition = 0; partition < partitions; partition += 1) fetcher.assign({ topic, partition }, 0);
  return { seen, close: () => fetcher.close() };
}

const record = (topic: string, key: string, number: number): ProducedRecord => {
  const bytes = input.keySerde.serialize(topic, key);
  const value = input.valueSerde.serialize(topic, number);
  return {
    topic,
    partition: partitionForKey(bytes, partitions),
    timestamp: Date.now(),
    key: bytes,
    value,
    headers: [],
  };
};
const keyOf = (index: number): string => `key-${index % 7}`;

/** A worker of running sums over numbers that keep coming. */
async function runWorker(part: string, { application: applicationId, instance }: Names, until: () => boolean) {
  const worker = new StreamsWorker({
    applications: [{ applicationId, topology: summing(`${part}-in`, `${part}-out`) }],
    bootstrapServers: cluster.bootstrapServers,
    stateDir: join(stateDir, part), // one worker a folder
    instanceId: instance,
  });
  await worker.start();
  const out = follow(`${part}-out`);
  const sums = new Map<string, number[]>();
  const producer = await kafka.producer();
  let sent = 0;
  const finish = async () => {
    for (; !until(); await sleep(15)) {
      const records = Array.from({ length: 5 }, () => {
        const [key, number] = [keyOf(sent), (sent % 5) + 1];
        sent += 1;
        const list = sums.get(key) ?? [];
        sums.set(key, list);
        list.push((list.at(-1) ?? 0) + number);
        return record(`${part}-in`, key, number);
      });
      await producer.send(records);
    }
    await expect.poll(() => out.seen.count, { timeout: 30_000 }).toBeGreaterThanOrEqual(sent);
    expect(out.seen.values).toEqual(sums);
    await worker.close();
    await producer.close();
    await out.close();
  };
  return { out, finished: finish() };
}

/** Transactions of our own: the n-th writes n and commits offset n + 1. After an error it goes on where the offsets say, as a worker does. */
async function runTransactions(part: string, { application: groupId, instance }: Names, until: () => boolean) {
  const topic = `${part}-stream`;
  const group = { groupId, generationId: -1, memberId: '', groupInstanceId: null };
  const offset = { topic: `${part}-in`, partition: 0 };
  const out = follow(topic);
  let producer = await kafka.transactionalProducer(`${groupId}/${instance}`);
  let next = 0;
  const finish = async () => {
    while (!until()) {
      try {
        await producer.commit({
          records: Array.from({ length: 7 }, (_, index) => record(topic, keyOf(index), next)),
          offsets: [{ ...offset, offset: next + 1, metadata: null }],
          group,
        });
        next += 1;
      } catch (error) {
        if (!(error instanceof StreamsError) || !error.retriable) throw error;
        await producer.close();
        producer = await kafka.transactionalProducer(`${groupId}/${instance}`);
        [{ offset: next } = { offset: 0 }] = await kafka.committedOffsets(groupId, [offset], { requireStable: true });
      }
    }
    await producer.close();
    await expect.poll(() => out.seen.count, { timeout: 30_000 }).toBeGreaterThanOrEqual(7 * next);
    const all = Array.from({ length: next }, (_, index) => index);
    expect([...out.seen.values]).toEqual(expect.arrayContaining([0, 1, 2, 3, 4, 5, 6].map((key) => [keyOf(key), all])));
    const committed = await kafka.committedOffsets(groupId, [offset], { requireStable: true });
    expect(committed).toMatchObject([{ offset: next }]);
    await out.close();
  };
  return { out, finished: finish() };
}

test('a broker that coordinates transactions of one application and the group of another is killed: all is there once, in order', async () => {
  const doomed = await client.coordinator('transaction', 'transaction-0/one-a');
  const names = {
    transaction: await namesWith('transaction', doomed, 'transaction'),
    group: await namesWith('group', doomed, 'group'),
    transactionStream: await namesWith('transaction', doomed, 'transaction-stream'),
    groupStream: await namesWith('group', doomed, 'group-stream'),
  };
  let over = false;
  const runs = await Promise.all([
    runWorker('transaction', names.transaction, () => over),
    runWorker('group', names.group, () => over),
    runTransactions('transaction', names.transactionStream, () => over),
    runTransactions('group', names.groupStream, () => over),
  ]);
  const finished = Promise.all(runs.map((run) => run.finished));
  const haveComeSince = (marks: readonly number[]) =>
    runs.every(({ out }, index) => out.seen.count > (marks[index] ?? 0) + 50);
  await expect.poll(() => haveComeSince([]), { timeout: 60_000, interval: 1 }).toBe(true);
  await cluster.brokers.find(({ id }) => id === doomed)?.kill();
  const atKill = runs.map(({ out }) => out.seen.count);
  await expect.poll(() => haveComeSince(atKill), { timeout: 60_000 }).toBe(true);
  over = true;
  await finished;
}, 150_000);
