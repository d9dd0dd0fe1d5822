import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type QueryAddress, type QueryableStore, StreamsWorker } from '../index.ts';
import { connectKafka, type KafkaPort, partitionForKey } from '../kafka/index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { applicationId, input, output, summing } from '../test/summing.ts';

let broker: KafkaBroker;
let kafka: KafkaPort;
let stateDir: string;
let other: ChildProcess | null = null;
const known: QueryAddress[] = [];
const keys = Array.from({ length: 20 }, (_, at) => `key-${at}`);

beforeAll(async () => {
  broker = await startKafkaBroker();
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'query-test' });
  stateDir = mkdtempSync(join(tmpdir(), 'queries-'));
  await kafka.createTopics([input, output].map(({ name }) => ({ name, partitions: 4 })));
}, 120_000);

afterAll(async () => {
  other?.kill('SIGKILL');
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

/** One for each key. */
async function send(): Promise<void> {
  const producer = await kafka.producer();
  await producer.send(
    keys.map((key) => {
      const bytes = input.keySerde.serialize(input.name, key);
      const value = input.valueSerde.serialize(input.name, 1);
      const partition = partitionForKey(bytes, 4);
      return { topic: input.name, partition, timestamp: Date.now(), key: bytes, value, headers: [] };
    }),
  );
  await producer.close();
}

const startOther = (): Promise<QueryAddress> =>
  new Promise((resolve, reject) => {
    const program = join(import.meta.dirname, '..', 'test', 'queried-worker.ts');
    const child = spawn(process.execPath, [program, broker.bootstrapServers, stateDir, 'two'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    other = child;
    child.stdout?.once('data', (port) => resolve({ instanceId: 'two', host: '127.0.0.1', port: Number(port) }));
    child.once('exit', () => reject(new Error('the other worker ended before it ran')));
  });

const all = async (sums: QueryableStore<string, number>) => {
  const results = await Promise.all(keys.map((key) => sums.get(key)));
  return { values: results.map(({ value }) => value), stale: results.filter(({ stale }) => stale) };
};

test('keys of another worker are answered; once it is killed its keys are stale with a lag, and right when they have an owner', async () => {
  const worker = new StreamsWorker({
    applications: [{ applicationId, topology: summing() }],
    bootstrapServers: broker.bootstrapServers,
    stateDir,
    instanceId: 'one',
    numStandbyReplicas: 1,
    queryDirectory: { announce: () => {}, instances: () => known },
  });
  await worker.start();
  try {
    const sums = worker.query(applicationId).store<string, number>('sums');
    known.push(await startOther());
    await expect.poll(async () => new Set(await owners(sums)), { timeout: 30_000 }).toEqual(new Set(['one', 'two']));
    const owned = await owners(sums);
    await send();
    await expect.poll(() => all(sums), { timeout: 30_000 }).toEqual({ values: keys.map(() => 1), stale: [] });

    const theirs = keys.filter((_, at) => owned[at] === 'two');
    const gone = new Promise((resolve) => other?.once('exit', resolve));
    other?.kill('SIGKILL');
    await gone;
    await send();
    for (const key of theirs) {
      const { value, stale, lag } = await sums.get(key);
      expect({ key, value, stale }).toEqual({ key, value: 1, stale: true }); // from the standby
      expect(lag).toBeGreaterThan(0); // what was sent since
    }
    const [mine = ''] = keys.filter((_, at) => owned[at] === 'one');
    await expect.poll(() => sums.get(mine)).toMatchObject({ value: 2, stale: false });
    let failures = 0;
    const settled = async () => {
      const now = await all(sums).catch(() => null);
      if (now === null) failures += 1;
      return now;
    };
    await expect.poll(settled, { timeout: 30_000 }).toEqual({ values: keys.map(() => 2), stale: [] });
    expect(failures).toBe(0);
  } finally {
    await worker.close();
  }
}, 120_000);

const owners = (sums: QueryableStore<string, number>) =>
  Promise.all(keys.map(async (key) => (await sums.owner(key)).instanceId));
