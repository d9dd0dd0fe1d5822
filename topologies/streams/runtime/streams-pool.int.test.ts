import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ChangeGap,
  prometheusText,
  type QueryAddress,
  type QueryableStore,
  type StoreChange,
  StreamsPool,
  StreamsWorker,
} from '../index.ts';
import { partitionForKey } from '../kafka/index.ts';
import { kafkaForTests } from '../test/kafka-for-tests.ts';
import type { PooledData } from '../test/pooled-summing.ts';
import { applicationId, input, summing } from '../test/summing.ts';
import { SumsFlow } from '../test/sums-flow.ts';

const own = kafkaForTests('pool-test');
let flow: SumsFlow;
let child: ChildProcess | undefined;
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
  flow = await new SumsFlow(own.kafka).open();
});
afterAll(() => {
  child?.kill('SIGKILL');
  return flow?.[Symbol.asyncDispose]();
});

function startPool(): ChildProcess {
  told.length = 0;
  const program = join(import.meta.dirname, '..', 'test', 'pooled-summing.ts');
  child = spawn(process.execPath, [program, own.bootstrapServers, own.stateDir, 'one'], {
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
  const folders = ['one-0', 'one-1'].map((name) => join(own.stateDir, 'one', name, 'tasks', applicationId));
  expect(folders.map((folder) => readdirSync(folder).length > 0)).toEqual([true, true]);
  await flow.send(2_300);
  await flow.summed();

  const sending = flow.send(4_600);
  await expect.poll(() => flow.seen, { timeout: 30_000, interval: 1 }).toBeGreaterThan(3_000);
  pool.kill('SIGUSR2');
  await expect.poll(() => toldOf('thread-failed').length, { timeout: 10_000 }).toBe(1);
  const [fault] = toldOf('thread-failed');
  expect(fault?.message).toBe(`${fault?.worker} ended and is replaced in 100 ms: a fault of this thread`);
  await sending;
  await flow.summed();
  await running();

  const gone = once(pool, 'exit');
  pool.kill('SIGTERM');
  expect(await gone).toEqual([0, null]);
  expect(told.at(-1)).toEqual({ event: 'state', state: 'CLOSED' });
  expect(toldOf('close-failed')).toEqual([]);
  expect(existsSync(join(own.stateDir, 'one', 'lock'))).toBe(false);
}, 90_000);

test('one that is started again goes on where it was, with the state that it has', async () => {
  const pool = startPool();
  await running();
  await flow.send(230);
  await flow.summed();
  const gone = once(pool, 'exit');
  pool.kill('SIGTERM');
  expect(await gone).toEqual([0, null]);
}, 60_000);

describe('a pool does what a worker does', () => {
  const id = 'watched';
  const topics = { from: 'watched-in', to: 'watched-out' };
  const keys = Array.from({ length: 20 }, (_, at) => `key-${at}`);
  const fault = new SharedArrayBuffer(4);
  const known: QueryAddress[] = [];
  const shared = {
    parkDeadLetters: true,
    queryEndpoint: { host: '127.0.0.1', port: 0 },
    queryDirectory: { announce: (self: QueryAddress) => void known.push(self), instances: () => known },
  };
  let spans: string;
  let pool: StreamsPool;
  let sums: QueryableStore<string, number>;
  let states: readonly (string | undefined)[] = [];
  const changes: (StoreChange<string, number> | ChangeGap)[] = [];

  beforeAll(async () => {
    await own.kafka.createTopics(Object.values(topics).map((name) => ({ name, partitions: 4 })));
    spans = join(own.stateDir, 'spans');
    pool = new StreamsPool({
      applications: [
        {
          applicationId: id,
          module: new URL('../test/pooled-summing.ts', import.meta.url),
          data: { fault, ...topics, spans } satisfies PooledData,
        },
      ],
      workers: 2,
      bootstrapServers: own.bootstrapServers,
      stateDir: own.stateDir,
      instanceId: 'three',
      ...shared,
    });
    pool.states$.subscribe((all) => {
      states = [...states, all.get(id)];
    });
    await pool.start();
    sums = (await pool.query(id)).store<string, number>('sums');
    sums.changes$().subscribe((change) => changes.push(change));
  }, 60_000);
  afterAll(() => pool?.close());

  /** One for each key, in a trace that is sampled. */
  async function sendOnes(): Promise<void> {
    const producer = await own.kafka.producer();
    await producer.send(
      keys.map((key) => ({
        topic: topics.from,
        partition: partitionForKey(Buffer.from(key), 4),
        timestamp: Date.now(),
        key: Buffer.from(key),
        value: input.valueSerde.serialize(topics.from, 1),
        headers: [['traceparent', Buffer.from(`00-${'1'.repeat(32)}-${'a'.repeat(16)}-01`)]],
      })),
    );
    await producer.close();
  }

  const all = async (store: QueryableStore<string, number>) => {
    const results = await Promise.all(keys.map((key) => store.get(key)));
    return { values: results.map(({ value }) => value), stale: results.filter(({ stale }) => stale).length };
  };
  const allAre = (value: number) => ({ values: keys.map(() => value), stale: 0 });
  const owners = async (store: QueryableStore<string, number>) =>
    new Set(await Promise.all(keys.map(async (key) => (await store.owner(key)).instanceId)));
  /** The values of a family, by thread. */
  const measured = async (name: string) => {
    const samples = (await pool.metrics()).find((family) => family.name === name)?.samples ?? [];
    return ['three-0', 'three-1'].map((worker) =>
      samples.reduce((sum, { labels, value }) => sum + (labels.worker === worker ? value : 0), 0),
    );
  };

  test('each thread has its part of the tasks, answers for it, tells its changes and is measured', async () => {
    await expect.poll(() => owners(sums), { timeout: 30_000 }).toEqual(new Set(['three-0', 'three-1']));
    await sendOnes();
    await expect.poll(() => all(sums), { timeout: 30_000 }).toEqual(allAre(1));
    expect((await sums.all()).value.map(({ key }) => key)).toEqual(keys.toSorted());
    const taken = await measured('streams_records_in_total');
    expect(Math.min(...taken)).toBeGreaterThan(0);
    expect(taken.reduce((sum, one) => sum + one)).toBe(keys.length);
    expect(prometheusText(await pool.metrics())).toMatch(/^streams_thread_up\{worker="three-1"\} 1$/m);
    const told = () => changes.flatMap((change) => (change.type === 'change' ? change.key : []));
    await expect.poll(() => told().toSorted()).toEqual(keys.toSorted());
  });

  test('a pause holds for all threads, and for one that replaces another', async () => {
    pool.pause(id);
    await expect.poll(() => states.at(-1)).toBe('PAUSED');
    states = [];
    changes.length = 0;
    const failures: unknown[] = [];
    const tried = () => all(sums).catch((error: unknown) => failures.push(error));
    const failing = firstValueFrom(pool.states$.pipe(filter((now) => now.get(id) === 'ERROR')));
    Atomics.store(new Int32Array(fault), 0, 1);
    await failing;
    const [up, stale] = await Promise.all([measured('streams_thread_up'), all(sums)]);
    expect(up.toSorted()).toEqual([0, 1]);
    expect(stale.stale).toBeGreaterThan(0);
    await sendOnes();
    await expect.poll(() => states.at(-1), { timeout: 30_000 }).toBe('PAUSED');
    await expect.poll(tried, { timeout: 30_000 }).toEqual(allAre(1));
    expect(states).not.toContain('RUNNING');
    expect((await measured('streams_thread_replacements_total')).toSorted()).toEqual([0, 1]);
    expect(await measured('streams_thread_up')).toEqual([1, 1]);
    expect(() => pool.resume('another')).toThrow(/there is no application another here; there are watched/);
    pool.resume();
    await expect.poll(tried, { timeout: 30_000 }).toEqual(allAre(2));
    expect(failures).toEqual([]);
    await expect.poll(() => states.at(-1)).toBe('RUNNING');
    expect(changes).toContainEqual({ type: 'gap', missed: null, partition: null });
    const told = () => changes.flatMap((change) => (change.type === 'change' && change.value === 2 ? change.key : []));
    await expect.poll(() => told().toSorted()).toEqual(keys.toSorted());
  }, 60_000);

  test('another process is asked, and asks it', async () => {
    const worker = new StreamsWorker({
      applications: [{ applicationId: id, topology: summing(topics.from, topics.to) }],
      bootstrapServers: own.bootstrapServers,
      stateDir: own.stateDir,
      instanceId: 'four',
      ...shared,
    });
    try {
      await worker.start();
      const theirs = worker.query(id).store<string, number>('sums');
      await expect.poll(() => owners(sums), { timeout: 30_000 }).toContain('four');
      await expect.poll(() => owners(theirs), { timeout: 30_000 }).toEqual(new Set(['three', 'four']));
      for (const store of [sums, theirs]) await expect.poll(() => all(store), { timeout: 30_000 }).toEqual(allAre(2));
    } finally {
      await worker.close();
    }
  }, 90_000);

  test('spans are made in the threads, and sent before these end', async () => {
    await pool.close({ timeoutMs: 20_000 });
    const lines = readFileSync(spans, 'utf8').trim().split('\n');
    const counts = ['process watched-in', 'commit watched', 'closed'].map((line) =>
      lines.filter((one) => one === line),
    );
    expect(counts.map(({ length }) => length)).toEqual([40, expect.any(Number), 2]);
    expect(counts[1]?.length).toBeGreaterThan(1);
  }, 30_000);

  test('a close that may not take as long as it does is an error, and leaves the folder free', async () => {
    const module = new URL('../test/pooled-summing.ts', import.meta.url);
    const data = { fault, ...topics } satisfies PooledData;
    const options = { bootstrapServers: own.bootstrapServers, stateDir: own.stateDir, instanceId: 'five' };
    const hasty = new StreamsPool({ ...options, applications: [{ applicationId: 'hasty', module, data }] });
    await hasty.start();
    await expect(hasty.close({ timeoutMs: 1 })).rejects.toMatchObject({
      code: 'CLOSE_TIMEOUT',
      applications: ['hasty'],
    });
    await new StreamsPool({ ...options, applications: [] }).close();
  }, 60_000);
});

test('what keeps it from starting is told by its code, and its folder is its own', async () => {
  const module = new URL('../test/pooled-summing.ts', import.meta.url);
  const options = { workers: 2, bootstrapServers: own.bootstrapServers, stateDir: own.stateDir, instanceId: 'two' };
  const data = { fault: new SharedArrayBuffer(4) } satisfies PooledData;
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
