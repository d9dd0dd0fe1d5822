import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { StreamsBuilder, StreamsWorker } from '../index.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { number, only, setUp, sums } from '../test/scripted-run.ts';
import { input, output, summing } from '../test/summing.ts';

const gate = () => Promise.withResolvers<void>();

test('an application goes through its states, and begins again after an error', async () => {
  const { port, runner } = setUp();
  const states: string[] = [];
  runner.state$.subscribe((state) => states.push(state));
  await runner.start();
  expect(states).toEqual(['CREATED', 'REBALANCING', 'RESTORING', 'RUNNING']);
  let fails = true;
  port.onCommit = async () => {
    if (fails) throw new Error('refused');
  };
  port.append([number('k', 1)]);
  await expect.poll(() => states.at(-1)).toBe('ERROR');
  fails = false;
  await expect.poll(() => sums(port), { timeout: 3_000 }).toEqual([1]);
  await runner.close();
  expect(states.slice(4)).toEqual(['ERROR', 'REBALANCING', 'RESTORING', 'RUNNING', 'CLOSED']);
});

describe('pause', () => {
  test('what is done is committed; nothing more is processed until resume, and the place in the group stays', async () => {
    const { port, runner } = setUp();
    await runner.start();
    const held = gate();
    port.onCommit = () => held.promise;
    port.append([number('k', 1)]);
    await sleep(20);
    port.append([number('k', 2)]);
    await sleep(20);
    runner.pause();
    expect(runner.state$.value).toBe('PAUSED');
    port.append([number('k', 3)]);
    held.resolve();
    await expect.poll(() => sums(port)).toEqual([1, 3]);
    await sleep(30);
    expect(sums(port)).toEqual([1, 3]);
    expect(port.members).toHaveLength(1);
    runner.resume();
    expect(runner.state$.value).toBe('RUNNING');
    await expect.poll(() => sums(port)).toEqual([1, 3, 6]);
    await runner.close();
  });

  test('it is paused also after a rebalance and in the next run, and fetches nothing', async () => {
    const { port, runner } = setUp();
    runner.pause();
    const fetched: number[] = [];
    const { fetcher } = port;
    port.fetcher = (options) =>
      fetcher({
        ...options,
        onBatch: (batch) => {
          fetched.push(batch.records.length);
          options.onBatch(batch);
        },
      });
    port.append([number('k', 1)]);
    await runner.start();
    expect(runner.state$.value).toBe('PAUSED');
    const member = only(port);
    await member.onRevoking(port.assignment(member, 1).group);
    expect(runner.state$.value).toBe('REBALANCING');
    member.onAssigned(port.assignment(member, 2));
    await expect.poll(() => runner.state$.value).toBe('PAUSED');
    member.onLost(new Error('another process took the place'));
    expect(runner.state$.value).toBe('ERROR');
    await expect.poll(() => runner.state$.value, { timeout: 3_000 }).toBe('PAUSED');
    await sleep(20);
    expect([sums(port), fetched]).toEqual([[], []]);
    runner.resume();
    await expect.poll(() => sums(port)).toEqual([1]);
    await runner.close();
  });
});

const workerOf = (port: ScriptedPort, applications: readonly string[]) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'streams-states-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  const logged: string[] = [];
  const worker = new StreamsWorker({
    applications: applications.map((applicationId) => ({ applicationId, topology: passing() })),
    port,
    stateDir,
    log: (_level, event, message) => logged.push(`${event}: ${message}`),
  });
  const states = new Map<string, string>();
  worker.states$.subscribe((all) => {
    for (const [id, state] of all) states.set(id, state);
  });
  return { worker, logged, states };
};
const passing = () => {
  const builder = new StreamsBuilder();
  builder.stream(input).to(output);
  return builder.build();
};
const portWithTopics = () => {
  const port = new ScriptedPort();
  for (const { name } of [input, output]) port.broker.createTopic(name, 1);
  return port;
};

test('a worker pauses one of its applications, or all; the worst state stands for it', async () => {
  const { worker, states } = workerOf(portWithTopics(), ['one', 'two']);
  let worst = '';
  worker.state$.subscribe((state) => {
    worst = state;
  });
  await worker.start();
  worker.pause('one');
  expect([Object.fromEntries(states), worst]).toEqual([{ one: 'PAUSED', two: 'RUNNING' }, 'PAUSED']);
  worker.resume();
  expect(worst).toBe('RUNNING');
  expect(() => worker.pause('three')).toThrow(/no application three here; there are one, two/);
  await worker.close();
  expect(worst).toBe('CLOSED');
});

describe('close within a deadline', () => {
  test('in time', async () => {
    const { worker, logged } = workerOf(portWithTopics(), ['one']);
    await worker.start();
    await worker.close({ timeoutMs: 5_000 });
    expect(logged.join()).not.toContain('close-gave-up');
  });

  test('a transaction without an end: it gives up, says which application, and writes nothing more to the disk', async () => {
    const port = portWithTopics();
    const { worker, logged, states } = workerOf(port, ['one', 'two']);
    await worker.start();
    const held = gate();
    port.onCommit = ({ group }) => (group.groupId === 'one' ? held.promise : Promise.resolve());
    port.append([number('k', 1)]);
    await sleep(20);
    const before = performance.now();
    await expect(worker.close({ timeoutMs: 100 })).rejects.toMatchObject({
      code: 'CLOSE_TIMEOUT',
      applications: ['one'],
    });
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(logged.join()).toMatch(/close-gave-up: not closed within 100 ms: one; what was not committed comes again\./);
    expect(Object.fromEntries(states)).toEqual({ one: 'ERROR', two: 'CLOSED' });
    held.resolve();
    await expect.poll(() => states.get('one')).toBe('CLOSED'); // the rest has ended, and the folder is free
  });

  test('what was in flight when it gave up is not put on the disk: the next run finds it in the changelog', async () => {
    const disk = new MemoryStorage();
    const { port, runner } = setUp(summing(), 1, {
      state: { storage: () => disk, taskIds: () => [], removeTask: () => {} },
    });
    await runner.start();
    const held = gate();
    port.onCommit = () => held.promise;
    port.append([number('k', 1)]);
    await sleep(20);
    const closed = runner.close();
    expect(runner.abandon()).toBe(true);
    held.resolve();
    await closed;
    expect(sums(port)).toEqual([1]);
    expect(disk.metadata('changelog:sums')).toBe(null);
    expect(runner.state$.value).toBe('CLOSED');
    expect(runner.abandon()).toBe(false);
  });
});
