import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type QueryAddress,
  QueryError,
  Serdes,
  SessionWindows,
  StreamsBuilder,
  StreamsWorker,
  type StreamsWorkerOptions,
  TimeWindows,
  type Topology,
} from '../index.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import type { MembershipOptions } from '../kafka/port.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { number } from '../test/scripted-run.ts';
import { input, output, summing } from '../test/summing.ts';

const folder = mkdtempSync(join(tmpdir(), 'queries-'));
const workers: StreamsWorker[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
  rmSync(folder, { recursive: true, force: true });
});

function portOf(partitions = 1): ScriptedPort {
  const port = new ScriptedPort();
  for (const name of [input.name, output.name, 'prices']) port.broker.createTopic(name, partitions);
  return port;
}

function workerOf(port: ScriptedPort, topology: Topology, options: Partial<StreamsWorkerOptions> = {}): StreamsWorker {
  const worker = new StreamsWorker({
    applications: [{ applicationId: 'app', topology }],
    port,
    stateDir: folder,
    instanceId: 'one',
    ...options,
  });
  workers.push(worker);
  return worker;
}

const memberOf = (port: ScriptedPort, instanceId = 'one'): MembershipOptions => {
  const member = port.members.find(({ groupInstanceId }) => groupInstanceId === instanceId);
  if (member === undefined) throw new Error(`${instanceId} has not joined`);
  return member;
};

describe('on one instance', () => {
  test('a value shows when its transaction is committed, not before', async () => {
    const port = portOf();
    const worker = workerOf(port, summing());
    await worker.start();
    const sums = worker.query('app').store<string, number>('sums');
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    port.onCommit = () => {
      asked.resolve();
      return held.promise;
    };
    port.append([number('k', 5)]);
    await asked.promise;
    expect(await sums.get('k')).toMatchObject({ value: null, stale: false });
    held.resolve();
    await expect.poll(async () => (await sums.get('k')).value).toBe(5);
    expect(await sums.get('k')).toEqual({
      value: 5,
      timestamp: null,
      position: { 'app-sums-changelog-0': 1 },
      stale: false,
      lag: 0,
    });
  });

  test('ranges go over all partitions in the order of the keys, and say when there is more', async () => {
    const port = portOf(3);
    const worker = workerOf(port, summing());
    await worker.start();
    const keys = Array.from({ length: 9 }, (_, at) => `k${at}`);
    port.append(keys.map((key, at) => ({ ...number(key, at), partition: partitionForKey(Buffer.from(key), 3) })));
    const sums = worker.query('app').store<string, number>('sums');
    await expect.poll(async () => (await sums.all()).value.length).toBe(9);
    expect((await sums.all()).value.map(({ key }) => key)).toEqual(keys);
    expect((await sums.range('k2', 'k4')).value.map(({ key, value }) => [key, value])).toEqual([
      ['k2', 2],
      ['k3', 3],
      ['k4', 4],
    ]);
    expect(await sums.all({ limit: 4 })).toMatchObject({ value: { length: 4 }, truncated: true });
    expect(await sums.all({ limit: 9 })).toMatchObject({ value: { length: 9 }, truncated: false });
    expect(Object.values((await sums.all()).position).reduce((sum, one) => sum + one, 0)).toBe(9);
    for (const key of keys) expect(await sums.get(key)).toMatchObject({ value: keys.indexOf(key), stale: false });
  });

  test('while the group moves, and after the task has gone, the last known rows are told as stale with their lag', async () => {
    const port = portOf();
    const worker = workerOf(port, summing());
    await worker.start();
    const sums = worker.query('app').store<string, number>('sums');
    port.append([number('k', 5)]);
    await expect.poll(async () => (await sums.get('k')).value).toBe(5);

    const member = memberOf(port);
    await member.onRevoking(port.assignment(member, 1).group);
    expect(await sums.get('k')).toMatchObject({ value: 5, stale: true, lag: 0 });

    member.onAssigned({ ...port.assignment(member, 2), partitions: [] });
    await expect.poll(async () => (await sums.owner('k')).local).toBe(false);
    // Another owner goes on meanwhile.
    port.append([{ ...number('k', 7), topic: 'app-sums-changelog' }]);
    port.append([{ ...number('k', 9), topic: 'app-sums-changelog' }]);
    expect(await sums.get('k')).toMatchObject({
      value: 5,
      stale: true,
      lag: 2,
      position: { 'app-sums-changelog-0': 1 },
    });

    const asked = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const { endOffsets } = port;
    port.endOffsets = async (partitions) => {
      asked.resolve();
      await held.promise;
      return endOffsets(partitions);
    };
    member.onAssigned(port.assignment(member, 3));
    await asked.promise; // it is being restored
    const during = sums.get('k');
    held.resolve();
    expect(await during).toMatchObject({ value: 5, stale: true });
    await expect.poll(() => sums.get('k')).toMatchObject({ value: 9, stale: false });
  });

  test('nobody has ever had the rows: none, stale, and all of the changelog behind', async () => {
    const port = portOf();
    const worker = workerOf(port, summing());
    port.broker.createTopic('app-sums-changelog', 1);
    port.append([{ ...number('k', 7), topic: 'app-sums-changelog' }]);
    port.onJoin = async (member) => ({ ...port.assignment(member, 1), partitions: [] });
    await worker.start();
    const sums = worker.query('app').store<string, number>('sums');
    expect(await sums.get('k')).toEqual({ value: null, timestamp: null, position: {}, stale: true, lag: 1 });
    expect(await sums.owner('k')).toEqual({ partition: 0, instanceId: null, host: null, port: null, local: false });
  });

  test('brokers that do not answer leave the lag unknown', async () => {
    const port = portOf();
    const worker = workerOf(port, summing());
    port.onJoin = async (member) => ({ ...port.assignment(member, 1), partitions: [] });
    await worker.start();
    port.endOffsets = () => Promise.reject(new Error('away'));
    expect(await worker.query('app').store('sums').get('k')).toMatchObject({ value: null, stale: true, lag: null });
  });

  test('before the start and after the end there is an answer too', async () => {
    const port = portOf();
    const worker = workerOf(port, summing());
    const sums = worker.query('app').store<string, number>('sums', { partitioner: () => 0 });
    expect(await sums.get('k')).toMatchObject({ value: null, stale: true });
    expect(await sums.all()).toMatchObject({ value: [], stale: true, lag: null });
    await worker.start();
    port.append([number('k', 5)]);
    await expect.poll(async () => (await sums.get('k')).value).toBe(5);
    await worker.close();
    expect(await sums.get('k')).toMatchObject({ value: 5, stale: true, lag: 0 });
  });
});

describe('each kind of store', () => {
  async function running(topology: Topology): Promise<StreamsWorker> {
    const port = portOf();
    const worker = workerOf(port, topology);
    await worker.start();
    port.append([number('a', 3), number('b', 1), number('a', 4, 500), number('a', 5, 60_000)]);
    port.append([
      { ...number('a', 900), topic: 'prices' },
      { ...number('a', 950, 1_000), topic: 'prices' },
    ]);
    await expect.poll(() => port.broker.committed('app', [{ topic: input.name, partition: 0 }])[0]?.offset).toBe(4);
    return worker;
  }

  test('an aggregation has the time of each value', async () => {
    const builder = new StreamsBuilder();
    builder.stream(input).groupByKey({ valueSerde: Serdes.integer }).count({ store: 'counts' });
    const counts = (await running(builder.build())).query('app').store<string, bigint>('counts');
    await expect.poll(() => counts.get('a')).toMatchObject({ value: 3n, timestamp: 61_000 });
    expect((await counts.all()).value).toEqual([
      { key: 'a', value: 3n, timestamp: 61_000 },
      { key: 'b', value: 1n, timestamp: 1_000 },
    ]);
    await expect(counts.fetch('a', 0, 1)).rejects.toThrow(/counts is a timestamped-key-value store.*use get/);
  });

  test('windows of a key and of all keys', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream(input)
      .groupByKey({ valueSerde: Serdes.integer })
      .windowedBy(TimeWindows.ofSizeAndGrace(1_000, 100_000))
      .count({ store: 'by-second' });
    const counts = (await running(builder.build())).query('app').store<string, bigint>('by-second');
    const first = { key: 'a', value: 2n, timestamp: 1_500, window: { startMs: 1_000, endMs: 2_000 } };
    const last = { key: 'a', value: 1n, timestamp: 61_000, window: { startMs: 61_000, endMs: 62_000 } };
    await expect.poll(async () => (await counts.fetch('a', 0, 100_000)).value).toEqual([first, last]);
    expect((await counts.fetch('a', 1_000, 1_000)).value).toEqual([first]);
    const other = { ...first, key: 'b', value: 1n, timestamp: 1_000 };
    expect((await counts.fetchAll(0, 100_000)).value).toEqual([first, other, last]);
    expect(await counts.fetchAll(0, 100_000, { limit: 2 })).toMatchObject({ value: [first, other], truncated: true });
    await expect(counts.get('a')).rejects.toThrow(QueryError);
  });

  test('sessions, also those that lie in the time only in part', async () => {
    const builder = new StreamsBuilder();
    builder
      .stream(input)
      .groupByKey({ valueSerde: Serdes.integer })
      .windowedBy(SessionWindows.ofInactivityGapAndGrace(1_000, 100_000))
      .count({ store: 'visits' });
    const visits = (await running(builder.build())).query('app').store<string, bigint>('visits');
    const first = { key: 'a', value: 2n, timestamp: null, window: { startMs: 1_000, endMs: 1_500 } };
    await expect.poll(async () => (await visits.fetch('a', 1_200, 1_300)).value).toEqual([first]);
    expect((await visits.fetchAll(0, 2_000)).value.map(({ key }) => key)).toEqual(['b', 'a']);
    expect((await visits.fetch('a', 1_501, 60_999)).value).toEqual([]);
  });

  test('a versioned table as of a time, and a global table', async () => {
    const prices = { ...input, name: 'prices' };
    const versioned = new StreamsBuilder();
    versioned.table(prices, { store: 'versions', versionedMs: 60_000 });
    versioned.stream(input).to(output);
    const versions = (await running(versioned.build())).query('app').store<string, number>('versions');
    await expect.poll(() => versions.get('a')).toMatchObject({ value: 950, timestamp: 2_000 });
    expect(await versions.get('a', { asOfMs: 1_999 })).toMatchObject({ value: 900, timestamp: 1_000 });

    await workers.pop()?.close();
    const builder = new StreamsBuilder();
    builder.globalTable(prices, { store: 'everywhere' });
    builder.stream(input).to(output);
    const everywhere = (await running(builder.build())).query('app').store<string, number>('everywhere');
    await expect.poll(() => everywhere.get('a')).toMatchObject({ value: 950, timestamp: 2_000, stale: false });
    expect(await everywhere.owner('a')).toMatchObject({ local: true, instanceId: 'one' });
  });

  test('what is not there is named', async () => {
    const worker = workerOf(portOf(), summing());
    expect(() => worker.query('other')).toThrow(/does not run other.*It runs: app/);
    expect(() => worker.query('app').store('total')).toThrow(/app has no store total/);
  });
});

describe('two instances', () => {
  const directory = () => {
    const known: QueryAddress[] = [];
    return { known, announce: (self: QueryAddress) => void known.push(self), instances: () => known };
  };
  const keyOf = (partition: number): string =>
    Array.from({ length: 50 }, (_, at) => `key-${at}`).find(
      (key) => partitionForKey(Buffer.from(key), 2) === partition,
    ) ?? '';

  test('a key of the other is asked of the other; one that dies leaves what is known, then the new owner answers', async () => {
    const port = portOf(2);
    const shares = new Map([
      ['one', 0],
      ['two', 1],
    ]);
    const given = (member: MembershipOptions, partition: number, generation: number) => {
      const all = port.assignment(member, generation);
      return { ...all, partitions: all.partitions.filter((one) => one.partition === partition) };
    };
    port.onJoin = async (member) => given(member, shares.get(member.groupInstanceId) ?? 0, 1);
    const queryDirectory = directory();
    const queryEndpoint = { host: '127.0.0.1', port: 0 };
    const one = workerOf(port, summing(), { queryDirectory, queryEndpoint });
    const two = workerOf(port, summing(), { instanceId: 'two', queryDirectory, queryEndpoint });
    await Promise.all([one.start(), two.start()]);
    const [mine, theirs] = [keyOf(0), keyOf(1)];
    port.append([number(mine, 3), { ...number(theirs, 4), partition: 1 }]);
    const sums = one.query('app').store<string, number>('sums');
    await expect.poll(() => sums.get(theirs)).toMatchObject({ value: 4, stale: false, lag: 0 });
    expect(await sums.owner(theirs)).toEqual({ partition: 1, ...two.queryAddress, local: false });
    expect(await sums.owner(mine)).toMatchObject({ partition: 0, instanceId: 'one', local: true });
    expect((await sums.all()).value.map(({ value }) => value).toSorted()).toEqual([3, 4]);
    expect(await two.query('app').store<string, number>('sums').get(mine)).toMatchObject({ value: 3, stale: false });

    await two.close();
    expect(await sums.get(theirs)).toMatchObject({ value: null, stale: true, lag: 1 });
    port.append([{ ...number(theirs, 1), partition: 1 }]);
    expect(await sums.get(theirs)).toMatchObject({ value: null, stale: true, lag: 2 }); // one of the changelog, one that nobody has taken
    expect(await sums.get(mine)).toMatchObject({ value: 3, stale: false });
    const member = memberOf(port);
    member.onAssigned(port.assignment(member, 2));
    await expect.poll(() => sums.get(theirs)).toMatchObject({ value: 5, stale: false });
  });

  test('with a token only instances that have it are answered; who has another is told once why its answers are stale', async () => {
    const port = portOf(2);
    const shares = new Map([['two', 1]]);
    port.onJoin = async (member) => {
      const all = port.assignment(member, 1);
      const partition = shares.get(member.groupInstanceId) ?? 0;
      return { ...all, partitions: all.partitions.filter((one) => one.partition === partition) };
    };
    const queryDirectory = directory();
    const logged: string[] = [];
    const withToken = (queryToken: StreamsWorkerOptions['queryToken'], instanceId: string) =>
      workerOf(port, summing(), {
        instanceId,
        queryDirectory,
        queryEndpoint: { host: '127.0.0.1', port: 0 },
        ...(queryToken !== undefined && { queryToken }),
        log: (_level, event, message) => logged.push(`${event}: ${message}`),
      });
    const owner = withToken(['new', 'old'], 'two');
    await owner.start();
    const key = keyOf(1);
    port.append([{ ...number(key, 4), partition: 1 }]);

    const url = `http://127.0.0.1:${owner.queryAddress?.port}/tasks?application=app`;
    const answered = async (authorization?: string) =>
      (await fetch(url, { headers: { ...(authorization && { authorization }) } })).status;
    const wrong = [undefined, 'Bearer', 'Bearer ', 'Bearer newer', 'bearer new', 'Basic new', 'new'];
    expect(await Promise.all(wrong.map(answered))).toEqual(wrong.map(() => 401));
    expect([await answered('Bearer new'), await answered('Bearer old')]).toEqual([200, 200]);
    const refused = await fetch(url);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect(await refused.json()).toEqual({
      error: expect.stringMatching(/nothing was read\. Give .* the same queryToken/),
    });

    const asker = async (queryToken: StreamsWorkerOptions['queryToken'], instanceId: string) => {
      const worker = withToken(queryToken, instanceId);
      await worker.start();
      return worker.query('app').store<string, number>('sums');
    };
    const old = await asker('old', 'with-old');
    await expect.poll(() => old.get(key)).toMatchObject({ value: 4, stale: false });
    expect(logged.filter((line) => line.startsWith('query-refused'))).toEqual([]);

    const stranger = await asker(undefined, 'without');
    for (let time = 0; time < 3; time += 1) expect(await stranger.get(key)).toMatchObject({ value: null, stale: true });
    const told = logged.filter((line) => line.startsWith('query-refused'));
    expect(told.filter((line) => line.includes(': two at http://127.0.0.1:'))).toHaveLength(1);
    expect(told[0]).toMatch(/give both the same queryToken$/);
  });

  test.each([[''], ['two words'], [[]], [['good', 'line\nbreak']]])('a token %j is refused', (queryToken) => {
    expect(() => workerOf(portOf(), summing(), { queryToken, stateDir: '/nowhere' })).toThrow(
      /queryToken has none, or one that is empty.*nothing was started/,
    );
  });

  test('an endpoint refuses what it cannot answer, and goes on', async () => {
    const port = portOf();
    const worker = workerOf(port, summing(), { queryEndpoint: { host: '127.0.0.1', port: 0 } });
    await worker.start();
    const base = `http://127.0.0.1:${worker.queryAddress?.port}`;
    const post = async (body: string) => (await fetch(`${base}/rows`, { method: 'POST', body })).status;
    const asked = { application: 'app', store: 'sums', partition: 0 };
    const key = { base64: Buffer.from('k').toString('base64') };
    expect(await post('{')).toBe(400);
    expect(await post(JSON.stringify({ ...asked, query: { type: 'get', key: 'k', asOfMs: null } }))).toBe(400);
    expect(await post(JSON.stringify({ ...asked, query: { type: 'drop' } }))).toBe(400);
    expect(await post(JSON.stringify({ ...asked, store: 'none', query: { type: 'get', key, asOfMs: null } }))).toBe(
      404,
    );
    expect(await post(`{"application":"${'x'.repeat(70_000)}"}`)).toBe(400);
    expect((await fetch(`${base}/else`)).status).toBe(404);
    expect(await post(JSON.stringify({ ...asked, query: { type: 'get', key, asOfMs: null } }))).toBe(200);
  });
});
