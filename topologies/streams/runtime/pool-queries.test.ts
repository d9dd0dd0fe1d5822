import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type QueryAddress, QueryError, StreamsWorker, type StreamsWorkerOptions } from '../index.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import type { MembershipOptions } from '../kafka/port.ts';
import { QueryToken } from '../query/query-token.ts';
import type { PooledData } from '../test/pooled-summing.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { number } from '../test/scripted-run.ts';
import { input, output, summing } from '../test/summing.ts';
import { PoolQueries, type PoolQueriesOptions } from './pool-queries.ts';
import type { AskedThread } from './supervised-thread.ts';
import { answersOf } from './thread-answers.ts';

const folder = mkdtempSync(join(tmpdir(), 'pool-queries-'));
const closing: { close(): Promise<void> }[] = [];
let port: ScriptedPort;
beforeEach(() => {
  port = new ScriptedPort();
  for (const name of [input.name, output.name]) port.broker.createTopic(name, 3);
  port.onJoin = async (member) => share(member, 1);
});
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Partition 0 is that of pool-0, 1 that of pool-1, 2 that of other. */
const owners = ['pool-0', 'pool-1', 'other'];
const share = (
  member: MembershipOptions,
  generation: number,
  partitions = [owners.indexOf(member.groupInstanceId)],
) => {
  const all = port.assignment(member, generation);
  return { ...all, partitions: all.partitions.filter(({ partition }) => partitions.includes(partition)) };
};

function workerOf(instanceId: string, options: Partial<StreamsWorkerOptions> = {}): StreamsWorker {
  const applications = [{ applicationId: 'app', topology: summing() }];
  const worker = new StreamsWorker({ applications, port, stateDir: folder, instanceId, ...options });
  closing.push(worker);
  return worker;
}

/** The worker as if it were in a thread: what goes in and out is a copy. */
function threadOf(worker: StreamsWorker): AskedThread & { silent: boolean } {
  const answers = answersOf(worker);
  const thread: AskedThread & { silent: boolean } = {
    silent: false,
    up: async () => true,
    ask: async (what, about) => {
      if (thread.silent) return undefined;
      const answer: (...asked: never[]) => unknown = answers[what];
      return structuredClone(await answer(...(structuredClone(about) as never[]))) as never; // typed by ThreadAnswers
    },
  };
  return thread;
}

function directory() {
  const known: QueryAddress[] = [];
  return { known, announce: (self: QueryAddress) => void known.push(self), instances: () => known };
}

async function started(options: Partial<Pick<PoolQueriesOptions, 'queryDirectory' | 'token'>> = {}) {
  const workers = [workerOf('pool-0'), workerOf('pool-1')];
  const threads = workers.map(threadOf);
  const queries = new PoolQueries({
    instanceId: 'pool',
    applications: [
      {
        applicationId: 'app',
        url: new URL('../test/pooled-summing.ts', import.meta.url).href,
        data: { fault: new SharedArrayBuffer(4) } satisfies PooledData,
      },
    ],
    threads,
    parkDeadLetters: false,
    timeoutMs: 1_000,
    token: null,
    log: () => {},
    queryEndpoint: { host: '127.0.0.1', port: 0 },
    ...options,
  });
  closing.push(queries);
  await Promise.all([queries.start(), ...workers.map((worker) => worker.start())]);
  const sums = (await queries.of('app')).store<string, number>('sums');
  return { workers, threads, queries, sums };
}

const keyOf = (partition: number): string =>
  Array.from({ length: 50 }, (_, at) => `key-${at}`).find(
    (key) => partitionForKey(Buffer.from(key), 3) === partition,
  ) ?? '';
const one = (partition: number, value: number) => ({ ...number(keyOf(partition), value), partition });

describe('the threads of a pool as one instance', () => {
  test('a key of each is answered, and all of them in the order of the keys', async () => {
    const { sums } = await started();
    port.append([one(0, 3), one(1, 4)]);
    await expect
      .poll(() => sums.get(keyOf(1)))
      .toEqual({
        value: 4,
        timestamp: null,
        position: { 'app-sums-changelog-1': 1 },
        stale: false,
        lag: 0,
      });
    expect(await sums.get(keyOf(0))).toMatchObject({ value: 3, stale: false });
    expect(await sums.owner(keyOf(1))).toEqual({
      partition: 1,
      instanceId: 'pool-1',
      host: null,
      port: null,
      local: true,
    });
    const { value, stale } = await sums.all();
    expect(value.map(({ key }) => key)).toEqual([keyOf(0), keyOf(1)].toSorted());
    expect(stale).toBe(true); // nobody has partition 2
  });

  test('one that does not answer has nothing; what another has left of its tasks is stale', async () => {
    const { sums, threads } = await started();
    port.append([one(1, 4)]);
    await expect.poll(() => sums.get(keyOf(1))).toMatchObject({ value: 4, stale: false });
    const [first, second] = owners.map((id) => port.members.find(({ groupInstanceId }) => groupInstanceId === id));
    if (first === undefined || second === undefined || threads[0] === undefined) throw new Error('both have joined');
    second.onAssigned(share(second, 2, []));
    first.onAssigned(share(first, 2, [0, 1]));
    await expect.poll(async () => (await sums.owner(keyOf(1))).instanceId).toBe('pool-0');
    await expect.poll(() => sums.get(keyOf(1))).toMatchObject({ value: 4, stale: false });
    threads[0].silent = true;
    expect(await sums.get(keyOf(1))).toMatchObject({ value: 4, stale: true, lag: 0 });
    for (const thread of threads) thread.silent = true;
    expect(await sums.get(keyOf(1))).toMatchObject({ value: null, stale: true, lag: null });
  });

  test('and of others: they ask its endpoint, and it asks theirs', async () => {
    const queryDirectory = directory();
    const other = workerOf('other', {
      queryDirectory,
      queryToken: 'us',
      queryEndpoint: { host: '127.0.0.1', port: 0 },
    });
    await other.start();
    const { sums, queries } = await started({ queryDirectory, token: new QueryToken('us') });
    expect((await fetch(`http://127.0.0.1:${queries.address?.port}/tasks?application=app`)).status).toBe(401);
    expect(queryDirectory.known.at(-1)).toEqual(queries.address);
    port.append([one(0, 3), one(1, 4), one(2, 5)]);
    await expect.poll(() => sums.get(keyOf(2))).toMatchObject({ value: 5, stale: false });
    expect(await sums.owner(keyOf(2))).toEqual({ partition: 2, ...other.queryAddress, local: false });
    const theirs = other.query('app').store<string, number>('sums');
    await expect.poll(() => theirs.get(keyOf(1))).toMatchObject({ value: 4, stale: false });
    expect(await theirs.owner(keyOf(1))).toEqual({ partition: 1, ...queries.address, local: false });
    const all = [3, 4, 5];
    for (const { value, stale } of [await sums.all(), await theirs.all()])
      expect([value.map((row) => row.value).toSorted(), stale]).toEqual([all, false]);
  });

  test('what is not there, or not so, is a QueryError', async () => {
    const { sums, queries } = await started();
    await expect(queries.of('else')).rejects.toThrow(QueryError);
    const queried = await queries.of('app');
    expect(() => queried.store('none')).toThrow(QueryError);
    await expect(sums.fetch(keyOf(0), 0, 1)).rejects.toThrow(QueryError);
    const asked = {
      application: 'app',
      store: 'none',
      partition: 0,
      query: { type: 'range', from: null, to: null, limit: 1 },
    };
    const base = `http://127.0.0.1:${queries.address?.port}`;
    expect((await fetch(`${base}/rows`, { method: 'POST', body: JSON.stringify(asked) })).status).toBe(404);
  });
});

test('changes of all threads are told, behind a gap for each', async () => {
  const { sums, workers } = await started();
  const seen: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  sums.changes$().subscribe({
    next: (item) => seen.push(item.type === 'gap' ? item.missed : [item.key, item.old, item.value, item.position]),
    complete: ended.resolve,
  });
  await expect.poll(() => seen).toEqual([null, null]);
  port.append([one(0, 3), one(1, 4)]);
  const first = [
    [keyOf(0), null, 3, 1],
    [keyOf(1), null, 4, 1],
  ];
  await expect.poll(() => seen.slice(2).toSorted()).toEqual(first.toSorted());
  port.append([one(1, 5)]);
  await expect.poll(() => seen.at(-1)).toEqual([keyOf(1), 4, 9, 2]);
  for (const worker of workers) await worker.close();
  await ended.promise;
});

test('who has heard enough costs the threads nothing more', async () => {
  const { sums, threads } = await started();
  const changes = sums.changes();
  expect(await changes.next()).toMatchObject({ value: { type: 'gap' } });
  await changes.return?.();
  const asked: string[] = [];
  for (const thread of threads) {
    const { ask } = thread;
    thread.ask = (what, about) => {
      asked.push(what);
      return ask(what, about);
    };
  }
  port.append([one(0, 3), one(1, 4)]);
  await expect.poll(() => sums.get(keyOf(1))).toMatchObject({ value: 4 });
  expect(asked.filter((what) => what === 'changes')).toEqual([]);
});
