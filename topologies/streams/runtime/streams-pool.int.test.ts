import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StreamsPool } from '../index.ts';
import { connectKafka, type Fetcher, type KafkaPort, partitionForKey } from '../kafka/index.ts';
import { type KafkaBroker, startKafkaBroker } from '../test/kafka-broker.ts';
import { applicationId, input, output } from '../test/summing.ts';

let broker: KafkaBroker;
let kafka: KafkaPort;
let reader: Fetcher;
let stateDir: string;
let child: ChildProcess | undefined;
const seen = new Map<string, number[]>();
const expected = new Map<string, number[]>();
/** What the program prints. */
interface Told {
  readonly event: string;
  readonly state?: string;
  readonly worker?: string;
  readonly message?: string;
  readonly tasks?: readonly string[];
}
const told: Told[] = [];

beforeAll(async () => {
  broker = await startKafkaBroker();
  kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'pool-test' });
  stateDir = mkdtempSync(join(tmpdir(), 'streams-state-'));
  await kafka.createTopics([input, output].map(({ name }) => ({ name, partitions: 4 })));
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
afterAll(async () => {
  child?.kill('SIGKILL');
  await reader?.close();
  await kafka?.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(stateDir, { recursive: true, force: true });
});

/** Ones to keys in turn: the sums of a key count. */
async function send(count: number): Promise<void> {
  const producer = await kafka.producer();
  const records = Array.from({ length: count }, (_, index) => {
    const key = `key-${index % 23}`;
    expected.set(key, [...(expected.get(key) ?? []), (expected.get(key)?.length ?? 0) + 1]);
    const bytes = input.keySerde.serialize(input.name, key);
    return {
      topic: input.name,
      partition: partitionForKey(bytes, 4),
      timestamp: Date.now(),
      key: bytes,
      value: input.valueSerde.serialize(input.name, 1),
      headers: [],
    };
  });
  for (let from = 0; from < records.length; from += 100) await producer.send(records.slice(from, from + 100));
  await producer.close();
}

const count = (sums: Map<string, number[]>): number => [...sums.values()].reduce((all, { length }) => all + length, 0);

async function allSeen(): Promise<void> {
  await expect.poll(() => count(seen), { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(count(expected));
  expect(Object.fromEntries([...seen].sort())).toEqual(Object.fromEntries([...expected].sort()));
}

function startPool(): ChildProcess {
  told.length = 0;
  const program = join(import.meta.dirname, '..', 'test', 'pooled-summing.ts');
  child = spawn(process.execPath, [program, broker.bootstrapServers, stateDir, 'one'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line)));
  return child;
}

const toldOf = (event: string): readonly Told[] => told.filter((one) => one.event === event);
const running = () =>
  expect.poll(() => toldOf('state').at(-1)?.state, { timeout: 30_000, interval: 10 }).toBe('RUNNING');
/** Those of a thread, as it last opened them. */
const tasksOf = (worker: string) =>
  toldOf('restored').flatMap((one) => (one.worker === worker ? (one.tasks ?? []) : []));

test('two threads share the tasks; one that throws in mid flow is replaced; a SIGTERM closes both; every sum once', async () => {
  const pool = startPool();
  await running();
  await expect.poll(() => [tasksOf('one-0').length > 0, tasksOf('one-1').length > 0]).toEqual([true, true]);
  const folders = ['one-0', 'one-1'].map((name) => join(stateDir, 'one', name, 'tasks', applicationId));
  expect(folders.map((folder) => readdirSync(folder).length > 0)).toEqual([true, true]);
  await send(2_300);
  await allSeen();

  const sending = send(4_600);
  await expect.poll(() => count(seen), { timeout: 30_000, interval: 1 }).toBeGreaterThan(3_000);
  pool.kill('SIGUSR2');
  await expect.poll(() => toldOf('thread-failed').length, { timeout: 10_000 }).toBe(1);
  const [fault] = toldOf('thread-failed');
  expect(fault?.message).toBe(`${fault?.worker} ended and is replaced in 100 ms: a fault of this thread`);
  await sending;
  await allSeen();
  await running();

  const gone = once(pool, 'exit');
  pool.kill('SIGTERM');
  expect(await gone).toEqual([0, null]);
  expect(told.at(-1)).toEqual({ event: 'state', state: 'CLOSED' });
  expect(toldOf('close-failed')).toEqual([]);
  expect(existsSync(join(stateDir, 'one', 'lock'))).toBe(false);
}, 90_000);

test('one that is started again goes on where it was, with the state that it has', async () => {
  const pool = startPool();
  await running();
  await send(230);
  await allSeen();
  const gone = once(pool, 'exit');
  pool.kill('SIGTERM');
  expect(await gone).toEqual([0, null]);
}, 60_000);

test('what keeps it from starting is told by its code, and its folder is its own', async () => {
  const module = new URL('../test/pooled-summing.ts', import.meta.url);
  const options = { workers: 2, bootstrapServers: broker.bootstrapServers, stateDir, instanceId: 'two' };
  const data = new SharedArrayBuffer(4);
  const none = new StreamsPool({ ...options, applications: [{ applicationId: 'none', module: './not-there.ts' }] });
  expect(() => new StreamsPool({ ...options, workers: 0, applications: [] })).toThrow(/workers is 0/);
  await expect(none.start()).rejects.toMatchObject({
    code: 'TOPOLOGY',
    message: expect.stringMatching(/not-there\.ts could not be loaded/),
  });
  expect(() => new StreamsPool({ ...options, applications: [] })).toThrow(/keeps its state in/);
  await none.close();
  const badly = new StreamsPool({
    ...options,
    bootstrapServers: 'localhost:1',
    applications: [{ applicationId: 'away', module, data }],
  });
  await expect(badly.start()).rejects.toMatchObject({ code: 'BROKER_CONNECTION' });
  await badly.close();
}, 60_000);
