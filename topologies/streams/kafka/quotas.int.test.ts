import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { StreamsWorker } from '../index.ts';
import { type Quota, setQuota } from '../test/client-quotas.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { applicationId, input, output, summing } from '../test/summing.ts';
import { type TappedConnection, WireTap } from '../test/wire-tap.ts';
import { connectKafka, type KafkaPort, type ProducedRecord } from './index.ts';

let tap: WireTap;
let broker: KafkaBroker;
let unbounded: KafkaPort;
let stateDir: string;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  tap = await WireTap.open();
  broker = await startKafkaBroker({
    listener: { protocol: 'PLAINTEXT', advertisedPort: tap.port },
    // A transaction that is too old is aborted at once, instead of each 10 s.
    properties: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200' },
  });
  tap.forwardTo(broker.secondServers);
  unbounded = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'unbounded' });
  for (const [clientId, quota] of Object.entries(quotas)) await setQuota(broker.bootstrapServers, clientId, quota);
  const names = ['bulk', 'read', input.name, output.name];
  await unbounded.createTopics(names.map((name) => ({ name, partitions: 1 })));
}, 120_000);
afterAll(async () => {
  await unbounded?.close();
  await broker?.[Symbol.asyncDispose]();
  await tap?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

const record = (topic: string, index: number, size: number): ProducedRecord => ({
  topic,
  partition: 0,
  timestamp: Date.now(),
  key: null,
  value: Buffer.alloc(size, String(index % 10)),
  headers: [],
});

const quotas = {
  producing: { producer_byte_rate: 20_000 },
  fetching: { consumer_byte_rate: 40_000 },
  working: {},
} as const satisfies Record<string, Quota>;
const throttled = (clientId: keyof typeof quotas): Promise<KafkaPort> =>
  connectKafka({ bootstrapServers: `127.0.0.1:${tap.port}`, clientId });

/** Values' sizes until `count` are there. */
async function read(kafka: KafkaPort, topic: string, count: number): Promise<{ sizes: number[]; errors: string[] }> {
  const [sizes, errors]: [number[], string[]] = [[], []];
  const all = Promise.withResolvers<void>();
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => {
      for (const { value } of records) sizes.push(value?.length ?? 0);
      if (sizes.length >= count) all.resolve();
    },
    onOutOfRange: () => {},
    onError: (error) => errors.push(error.message),
  });
  fetcher.assign({ topic, partition: 0 }, 0);
  await all.promise;
  await fetcher.close();
  return { sizes, errors };
}

const produceKey = 0;
const fetchKey = 1;
const apiVersionsKey = 18;
/** Answers whose header has no tag section; the versions that we and kafkajs send. */
const inflexible = new Set(['1/11', '10/2', '11/5', '12/3', '14/3', '3/6', '36/1', '17/1']);

interface Asked {
  readonly apiKey: number;
  readonly atMs: number;
  readonly answeredMs: number;
  readonly throttleMs: number;
}

/** The requests of one client on one connection, with what their answers say of throttling. */
const asked = (connection: TappedConnection, clientId: string): readonly Asked[] => {
  const answers = new Map(connection.answers.map((answer) => [answer.bytes.readInt32BE(0), answer]));
  return connection.requests.flatMap(({ bytes, atMs }) => {
    const [apiKey, version] = [bytes.readInt16BE(0), bytes.readInt16BE(2)];
    const answer = answers.get(bytes.readInt32BE(4));
    const client = bytes.subarray(10, 10 + bytes.readInt16BE(8)).toString();
    if (client !== clientId || apiKey === apiVersionsKey) return [];
    if (answer === undefined) return [{ apiKey, atMs, answeredMs: Number.POSITIVE_INFINITY, throttleMs: 0 }];
    const at = apiKey === produceKey ? answer.bytes.length - 5 : inflexible.has(`${apiKey}/${version}`) ? 4 : 5;
    return [{ apiKey, atMs, answeredMs: answer.atMs, throttleMs: answer.bytes.readInt32BE(at) }];
  });
};

const connectionsOf = (clientId: string) =>
  tap.connections
    .map((connection) => ({ connection, requests: asked(connection, clientId) }))
    .filter(({ requests }) => requests.length > 0);

/** What was sent between an answer that asked for a pause and its end. What is sent without awaiting an answer leaves long before that comes. */
const tooEarly = (clientId: string): readonly string[] =>
  connectionsOf(clientId).flatMap(({ requests }) =>
    requests.flatMap(({ answeredMs, throttleMs }) =>
      requests
        .filter(({ atMs }) => atMs > answeredMs && atMs < answeredMs + throttleMs - 1)
        .map(({ apiKey, atMs }) => `API ${apiKey}, ${Math.round(atMs - answeredMs)} ms into ${throttleMs}`),
    ),
  );

const longest = (clientId: string, key: number): number =>
  Math.max(
    ...connectionsOf(clientId).flatMap(({ requests }) =>
      requests.filter(({ apiKey }) => apiKey === key).map(({ throttleMs }) => throttleMs),
    ),
  );

describe.concurrent('a client with a quota sends nothing on a connection that is throttled, and nothing times out', () => {
  test('transactions, though the pause is longer than a transaction may last and than an answer may take', async ({
    expect,
  }) => {
    const kafka = await throttled('producing');
    const producer = await kafka.transactionalProducer('quota-app/one');
    const group = { groupId: 'quota-app', generationId: -1, memberId: '', groupInstanceId: null };
    const commit = (index: number, size: number) =>
      producer.commit({
        records: [record('bulk', index, size)],
        offsets: [{ topic: 'read', partition: 0, offset: index, metadata: null }],
        group,
      });
    await commit(1, 435_000); // at 43,500 a second over the quota's 10 s, that is almost 12 s too much
    await commit(2, 100);
    expect(longest('producing', produceKey)).toBeGreaterThan(10_000);
    expect(tooEarly('producing')).toEqual([]);
    expect((await read(unbounded, 'bulk', 2)).sizes).toEqual([435_000, 100]);
    const committed = await unbounded.committedOffsets('quota-app', [{ topic: 'read', partition: 0 }], {
      requireStable: true,
    });
    expect(committed).toMatchObject([{ offset: 2 }]);
    await producer.close();
    await kafka.close();
  });

  test('fetches', async ({ expect }) => {
    const sizes = Array.from({ length: 40 }, (_, index) => 6_000 + index);
    const producer = await unbounded.producer();
    for (const [index, size] of sizes.entries()) await producer.send([record('read', index, size)]);
    await producer.close();
    const kafka = await throttled('fetching');
    // The first 10 s' worth are free.
    for (let time = 0; time < 2; time += 1) expect(await read(kafka, 'read', 40)).toEqual({ sizes, errors: [] });
    expect(longest('fetching', fetchKey)).toBeGreaterThan(500);
    expect(tooEarly('fetching')).toEqual([]);
    await kafka.close();
  });

  test('a worker with everything that it and its place in the group ask', async ({ expect }) => {
    const kafka = await throttled('working');
    const logged: string[] = [];
    const worker = new StreamsWorker({
      applications: [{ applicationId, topology: summing() }],
      port: kafka,
      stateDir,
      instanceId: 'one',
      log: (level, event, message) => {
        if (level !== 'info') logged.push(`${event} ${message}`);
      },
    });
    await worker.start();
    await setQuota(broker.bootstrapServers, 'working', { request_percentage: 0.3 });
    const producer = await unbounded.producer();
    for (let sent = 0; sent < 60; sent += 1, await sleep(30)) {
      const key = input.keySerde.serialize(input.name, 'k');
      const value = input.valueSerde.serialize(input.name, 1);
      await producer.send([{ topic: input.name, partition: 0, timestamp: Date.now(), key, value, headers: [] }]);
    }
    await producer.close();
    await read(unbounded, output.name, 60);
    await setQuota(broker.bootstrapServers, 'working', { request_percentage: 1_000 });
    await worker.close();
    await kafka.close();
    expect(logged).toEqual([]);
    expect(tooEarly('working')).toEqual([]);
    const throttledApis = new Set(
      connectionsOf('working').flatMap(({ requests }) =>
        requests.filter(({ throttleMs }) => throttleMs > 0).map(({ apiKey }) => apiKey),
      ),
    );
    // Which ones it meets is the broker's choice: it counts the time that each has taken it.
    expect(throttledApis.size).toBeGreaterThanOrEqual(3);
  });
});
