import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ProcessingGuarantee, StreamsWorker } from '../index.ts';
import { connectKafka, type Fetcher, type KafkaPort, partitionForKey } from '../kafka/index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { applicationId, input, output, summing } from '../test/summing.ts';

let broker: KafkaBroker;
let kafka: KafkaPort;
let stateDir: string;
const children: ChildProcess[] = [];
const seen = new Map<string, number[]>();
let reader: Fetcher;
const sent = new Map<string, number>();
const expected = new Map<string, number[]>();

beforeAll(async () => {
  broker = await startKafkaBroker();
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'worker-test' });
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  await kafka.createTopics([
    { name: input.name, partitions: 4 },
    { name: output.name, partitions: 4 },
  ]);
  reader = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: ({ records }) => {
      for (const { key, value } of records) {
        const name = Buffer.from(key ?? []).toString();
        const sum = output.valueSerde.deserialize(output.name, value ?? new Uint8Array());
        seen.set(name, [...(seen.get(name) ?? []), sum]);
      }
    },
    onOutOfRange: () => {},
    onError: (error) => {
      throw error;
    },
  });
  for (let partition = 0; partition < 4; partition += 1) reader.assign({ topic: output.name, partition }, 0);
}, 120_000);

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await reader?.close();
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

/** Sends numbers to keys in turn and notes the sums they must give. */
async function send(count: number): Promise<void> {
  const producer = await kafka.producer();
  const records = Array.from({ length: count }, (_, index) => {
    const key = `key-${index % 23}`;
    const number = 1 + (index % 7);
    const sum = (sent.get(key) ?? 0) + number;
    sent.set(key, sum);
    expected.set(key, [...(expected.get(key) ?? []), sum]);
    const bytes = input.keySerde.serialize(input.name, key);
    return {
      topic: input.name,
      partition: partitionForKey(bytes, 4),
      timestamp: Date.now(),
      key: bytes,
      value: input.valueSerde.serialize(input.name, number),
      headers: [],
    };
  });
  for (let from = 0; from < records.length; from += 100) await producer.send(records.slice(from, from + 100));
  await producer.close();
}

const seenCount = (): number => [...seen.values()].reduce((sum, sums) => sum + sums.length, 0);
const expectedCount = (): number => [...expected.values()].reduce((sum, sums) => sum + sums.length, 0);
const byKey = (sums: Map<string, number[]>) => Object.fromEntries([...sums].sort());

async function allSeen(): Promise<void> {
  await expect.poll(seenCount, { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(expectedCount());
  expect(byKey(seen)).toEqual(byKey(expected));
}

function startChild(instanceId: string): ChildProcess {
  const program = join(import.meta.dirname, '..', 'test', 'summing.ts');
  const child = spawn(process.execPath, [program, broker.bootstrapServers, stateDir, instanceId], { stdio: 'ignore' });
  children.push(child);
  return child;
}

const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once('exit', () => resolve()));

test('a worker that is killed in mid flow, again and again, loses nothing and doubles nothing', async () => {
  const sending = send(6_000);
  for (const moment of [300, 2_000, 4_000]) {
    const child = startChild('one');
    await expect.poll(seenCount, { timeout: 30_000, interval: 1 }).toBeGreaterThanOrEqual(moment);
    const gone = ended(child);
    child.kill('SIGKILL');
    await gone;
  }
  await sending;
  startChild('one');
  await allSeen();
}, 90_000);

test('a worker that was frozen until another had its tasks is refused when it wakes, and nothing is doubled', async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  const frozen = startChild('one');
  await send(230);
  await allSeen();
  startChild('two');
  const sending = send(2_300);
  await expect.poll(seenCount, { timeout: 30_000, interval: 1 }).toBeGreaterThan(expectedCount() - 2_000);
  frozen.kill('SIGSTOP');
  await sending;
  await allSeen(); // 'two' has all of it, after the session of 'one' has timed out
  frozen.kill('SIGCONT');
  await send(230);
  await allSeen();
}, 90_000);

test('state comes back from the changelog when the local one is gone', async () => {
  rmSync(join(stateDir, 'one'), { recursive: true, force: true });
  await using _worker = await started('one');
  await send(230);
  await allSeen();
}, 60_000);

test('a second instance takes over half of the tasks, and the first all of them when it goes', async () => {
  await using _one = await started('one');
  {
    await using _two = await started('two');
    await send(230);
    await allSeen();
  }
  await send(230);
  await allSeen();
}, 60_000);

test('at_least_once: without a crash nothing is doubled either, and a restart goes on where it was', async () => {
  for (const count of [230, 460]) {
    await using _worker = await started('one', 'at_least_once');
    await send(count);
    await allSeen();
  }
}, 60_000);

async function started(
  instanceId: string,
  processingGuarantee: ProcessingGuarantee = 'exactly_once',
): Promise<AsyncDisposable> {
  const worker = new StreamsWorker({
    applications: [{ applicationId, topology: summing() }],
    bootstrapServers: broker.bootstrapServers,
    stateDir,
    instanceId,
    processingGuarantee,
  });
  await worker.start();
  return { [Symbol.asyncDispose]: () => worker.close() };
}

test('an input topic that is not there is named before anything starts', async () => {
  const builder = summing();
  const worker = new StreamsWorker({
    applications: [{ applicationId: 'elsewhere', topology: builder }],
    port: { ...portOf(kafka), partitionCounts: async () => new Map() },
    stateDir,
    instanceId: 'three',
  });
  await expect(worker.start()).rejects.toThrow(/sum-in.*not there.*nothing was started/);
  await worker.close();
});

/** The port's methods as own properties, so that one can be replaced. */
const portOf = (port: KafkaPort): KafkaPort => Object.assign(Object.create(port), port);
