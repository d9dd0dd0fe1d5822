import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Serdes, StreamsBuilder, TimeWindows, type Topology } from '../index.ts';
import { number, only, setUp } from '../test/scripted-run.ts';
import { input, summing } from '../test/summing.ts';
import { ApplicationQueries } from './application-queries.ts';
import { ChangeQueue } from './change-queue.ts';
import { LocalRows } from './local-rows.ts';

function queried(topology: Topology = summing()) {
  const run = setUp(topology);
  const { runner, port } = run;
  const rows = new LocalRows({
    applicationId: 'app',
    instanceId: 'one',
    topology,
    kafka: port,
    local: () => runner.local,
  });
  return { ...run, queries: new ApplicationQueries('app', rows, null, runner.changes) };
}

test('a change is told after its commit, with what was there before', async () => {
  const { port, runner, queries } = queried();
  await runner.start();
  const held = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  port.onCommit = () => {
    asked.resolve();
    return held.promise;
  };
  const seen: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  queries
    .store<string, number>('sums')
    .changes$()
    .subscribe({ next: (change) => seen.push(change), complete: ended.resolve });
  port.append([number('k', 5)]);
  await asked.promise;
  await sleep(20);
  expect(seen).toEqual([]);
  held.resolve();
  const change = { type: 'change', key: 'k', window: null, timestamp: 1_000, partition: 0 };
  const first = { ...change, old: null, value: 5, position: 1 };
  await expect.poll(() => seen).toEqual([first]);
  port.append([number('k', 2, 7)]);
  await expect.poll(() => seen).toEqual([first, { ...change, timestamp: 1_007, old: 5, value: 7, position: 2 }]);
  runner.changes.close();
  await ended.promise;
  await runner.close();
});

test('work that was aborted is never told; a task that begins anew makes a gap', async () => {
  const { port, runner, queries } = queried();
  await runner.start();
  const seen: unknown[] = [];
  queries
    .store<string, number>('sums')
    .changes$()
    .subscribe((one) => seen.push(one.type === 'gap' ? [one.missed, one.partition] : one.value));
  port.onCommit = async () => {
    port.onCommit = async () => {};
    throw new Error('aborted');
  };
  port.append([number('k', 5)]);
  await expect.poll(() => seen).toEqual([[null, 0], 5]);
  expect(port.members).toHaveLength(1);
  const member = only(port);
  member.onAssigned({ ...port.assignment(member, 2), partitions: [] });
  member.onAssigned(port.assignment(member, 3));
  await expect.poll(() => seen).toEqual([[null, 0], 5, [null, 0]]);
  await runner.close();
});

test('a reader who is slow is told how many it has missed, and goes on', async () => {
  const { port, runner, queries } = queried();
  await runner.start();
  const changes = queries.store<string, number>('sums').changes({ maxBuffered: 3 });
  port.append(Array.from({ length: 10 }, (_, at) => number(`k${at}`, at)));
  await expect.poll(() => port.transactions.length).toBeGreaterThan(0);
  await sleep(20);
  const next = async () => {
    const { value } = await changes.next();
    return value.type === 'gap' ? { missed: value.missed } : value.value;
  };
  expect([await next(), await next(), await next(), await next()]).toEqual([0, 1, 2, { missed: 7 }]);
  port.append([number('late', 42)]);
  expect(await next()).toBe(42);
  await changes.return?.();
  expect(await changes.next()).toEqual({ done: true, value: undefined });
  expect(runner.changes.wants('sums')).toBe(false);
  await runner.close();
});

test('windows are told as windows, and rows that the store keeps for itself are not', async () => {
  const builder = new StreamsBuilder();
  builder
    .stream(input)
    .groupByKey({ valueSerde: Serdes.integer })
    .windowedBy(TimeWindows.ofSizeWithNoGrace(1_000))
    .count({ store: 'by-second' });
  const { port, runner, queries } = queried(builder.build());
  await runner.start();
  const changes = queries.store<string, bigint>('by-second').changes();
  port.append([number('k', 1), number('k', 1, 300)]);
  expect((await changes.next()).value).toEqual({
    type: 'change',
    key: 'k',
    window: { startMs: 1_000, endMs: 2_000 },
    old: null,
    value: 2n,
    timestamp: 1_300,
    partition: 0,
    position: 4, // with the store's own times and the index
  });
  const waiting = changes.next();
  await runner.close();
  runner.changes.close();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test('what tells no changes is named', async () => {
  const builder = new StreamsBuilder();
  builder.table({ ...input, name: 'a' }, { store: 'versions', versionedMs: 1 });
  builder.globalTable({ ...input, name: 'b' }, { store: 'everywhere' });
  const { queries } = queried(builder.build());
  expect(() => queries.store('versions').changes()).toThrow(/versioned.*follow the table's stream/);
  expect(() => queries.store('everywhere').changes()).toThrow(/global table.*its topic b/);
});

describe('the queue of a reader', () => {
  test('a gap stands where the changes are missing', async () => {
    const queue = new ChangeQueue<number>(2);
    for (const item of [1, 2, 3, 4]) queue.push(item);
    expect(await queue.take()).toBe(1);
    queue.push(5);
    const gap = { type: 'gap', missed: 2, partition: null };
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual([2, gap, 5]);
  });

  test('after its end it gives what it holds, then null', async () => {
    const queue = new ChangeQueue<number>(2);
    queue.push(1);
    queue.close();
    queue.push(2);
    expect([await queue.take(), await queue.take()]).toEqual([1, null]);
  });
});
