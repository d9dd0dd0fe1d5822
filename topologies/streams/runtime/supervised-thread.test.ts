import { afterEach, describe, expect, test } from 'vitest';
import { QueryError } from '../errors.ts';
import type { Part, Parts } from '../test/played-thread.ts';
import type { Log } from './log.ts';
import { SupervisedThread } from './supervised-thread.ts';

const threads: SupervisedThread[] = [];
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.close()));
});

/** @param lives what the thread does, then what its successors do, the last one for ever */
function play(lives: readonly (readonly Part[])[], closeTimeoutMs = 10_000) {
  const logged: Parameters<Log>[] = [];
  const count = new SharedArrayBuffer(4);
  const thread = new SupervisedThread({
    program: new URL('../test/played-thread.ts', import.meta.url),
    data: {
      applications: [{ applicationId: 'app', url: '', data: { lives, count } satisfies Parts }],
      connection: { bootstrapServers: '' },
      stateDir: '',
      instanceId: 'one-0',
      settings: {},
    },
    resourceLimits: {},
    closeTimeoutMs,
    log: (...entry) => logged.push(entry),
  });
  threads.push(thread);
  const states: (string | undefined)[] = [];
  thread.states$.subscribe((all) => states.push(all.get('app')));
  return { thread, states, logged, lives: () => Atomics.load(new Int32Array(count), 0) };
}

test('it says what its thread says, from the start to the close', async () => {
  const { thread, states, logged } = play([['log', 'run']]);
  await thread.start();
  expect(await thread.close()).toBe(null);
  expect(states).toEqual(['CREATED', 'RUNNING', 'CLOSED']);
  expect(logged).toEqual([['warn', 'odd', 'it is odd', { error: expect.any(Error), worker: 'one-0' }]]);
  expect(logged[0]?.[3]?.error).toMatchObject({
    message: 'why',
    code: 'ODD',
    stack: expect.stringContaining('played'),
  });
});

describe('a thread that ends by itself is replaced, and is in error until then', () => {
  test.each([
    ['throw', /one-0 ended and is replaced in 100 ms: uncaught/],
    ['exit', /one-0 ended and is replaced in 100 ms: .*exit code 7/],
  ] as const)('%s', async (part, text) => {
    const { thread, states, logged } = play([['run', part], ['run']]);
    await thread.start();
    await expect.poll(() => states, { timeout: 10_000 }).toEqual(['CREATED', 'RUNNING', 'ERROR', 'RUNNING']);
    expect(logged).toMatchObject([['error', 'thread-failed', expect.stringMatching(text), { worker: 'one-0' }]]);
  });

  test('after a pause that grows, also before it ran, and the start waits for it', async () => {
    const { thread, logged } = play([['throw'], ['exit'], ['run']]);
    await thread.start();
    expect(logged.map(([, , text]) => /in (\d+) ms/.exec(text)?.[1])).toEqual(['100', '200']);
  });

  test('and so is a successor that cannot start', async () => {
    const { thread, states, logged } = play([['run', 'throw'], ['refuse'], ['run']]);
    await thread.start();
    await expect.poll(() => states, { timeout: 10_000 }).toEqual(['CREATED', 'RUNNING', 'ERROR', 'ERROR', 'RUNNING']);
    expect(logged.map(([, , text]) => text)).toEqual([
      expect.stringContaining('uncaught'),
      expect.stringContaining('in 200 ms: no such topic'),
    ]);
  });
});

test('what keeps the first thread from starting is told to who starts it, and nothing is tried again', async () => {
  const { thread, logged, lives } = play([['refuse']]);
  await expect(thread.start()).rejects.toMatchObject({ message: 'no such topic', code: 'ODD' });
  await thread.close();
  expect([logged, lives()]).toEqual([[], 1]);
});

test('a thread that does not close in time is ended by force', async () => {
  const { thread, states, logged } = play([['ignore close', 'run']], 50);
  await thread.start();
  expect(await thread.close()).toEqual(['app']); // what was not closed
  expect(logged).toMatchObject([['warn', 'close-failed', expect.stringMatching(/by force after 50 ms/), {}]]);
  expect(states.at(-1)).toBe('CLOSED');
});

test('one that fails while it is closed is not replaced, and told', async () => {
  const { thread, logged, lives } = play([['throw at close', 'run']]);
  await thread.start();
  await thread.close();
  expect(logged).toMatchObject([
    ['warn', 'close-failed', 'one-0 ended while it was closed, with work uncommitted, which comes again', {}],
  ]);
  expect(logged[0]?.[3]?.error).toMatchObject({ message: 'while it was closed' });
  expect(lives()).toBe(1);
});

test('it is asked, and says what it knows or what it failed with', async () => {
  const { thread } = play([['run']]);
  expect(await thread.ask('partitions', ['app', 'sums'])).toBeUndefined(); // not begun
  await thread.start();
  const answers = [thread.ask('partitions', ['app', 'sums']), thread.ask('partitions', ['app', 'totals'])];
  expect(await Promise.all(answers)).toEqual([4, 6]);
  await expect(thread.ask('behind', ['app', 'sums', 0, 0])).rejects.toMatchObject({
    code: 'ODD',
    message: 'not known',
  });
  const query = { type: 'range', from: null, to: null, limit: 1 } as const;
  await expect(thread.ask('rows', ['app', 'sums', 0, query, true])).rejects.toThrow(QueryError);
  expect(await thread.ask('changes', [1], 20)).toBeUndefined();
  const waiting = thread.ask('changes', [1]);
  await thread.close();
  expect([await waiting, await thread.ask('partitions', ['app', 'sums']), await thread.up()]).toEqual([
    undefined,
    undefined,
    false,
  ]);
});

test('who waits for an answer of a thread that ends goes on at once, and the successor answers', async () => {
  const { thread } = play([['run', 'exit'], ['run']]);
  await thread.start();
  expect(await thread.ask('changes', [1])).toBeUndefined();
  expect([thread.replaced, await thread.up(), thread.replaced]).toEqual([0, true, 1]);
  expect(await thread.ask('partitions', ['app', 'sums'])).toBe(4);
});

test('what is paused is paused on each successor, also before the first', async () => {
  const { thread, states } = play([['exit'], ['exit'], []]);
  thread.pause(new Set(['app']));
  void thread.start().catch(() => {}); // it never runs
  await expect.poll(() => states.filter((state) => state === 'PAUSED').length, { timeout: 10_000 }).toBe(3);
  thread.pause(new Set());
  await expect.poll(() => states.at(-1)).toBe(undefined); // it was told that none is
});

test('a close ends the wait for a successor, and who waits for the start', async () => {
  const { thread, states, lives } = play([['throw']]);
  const started = thread.start();
  await expect.poll(() => states.includes('ERROR'), { timeout: 10_000 }).toBe(true);
  await thread.close();
  await expect(started).rejects.toThrow(/one-0 was closed before it ran/);
  const before = lives();
  await thread.close();
  expect(lives()).toBe(before);
});
