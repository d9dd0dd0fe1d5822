import { setTimeout as sleep } from 'node:timers/promises';
import { delay } from 'rxjs';
import { expect, test } from 'vitest';
import { Serdes, StreamsBuilder } from '../index.ts';
import type { ScriptedPort } from '../test/scripted-port.ts';
import { number, only, setUp, sums } from '../test/scripted-run.ts';
import { input, output } from '../test/summing.ts';

/** Asks for each number and adds the answers up: an answer lost, doubled or out of order shows in every later sum. */
function asking(maxInFlight = 4, timeoutMs?: number) {
  const open = new Map<number, PromiseWithResolvers<number>>();
  const asked: number[] = [];
  const builder = new StreamsBuilder();
  const time = timeoutMs === undefined ? {} : { timeoutMs };
  builder
    .stream(input)
    .mapAsync(
      (value) => {
        asked.push(value);
        const call = Promise.withResolvers<number>();
        open.set(value, call);
        return call.promise;
      },
      { as: 'ask', maxInFlight, ...time },
    )
    .groupByKey({ valueSerde: Serdes.integer })
    .reduce((sum, value) => sum + value, { store: 'sums' })
    .toStream()
    .to(output);
  const answer = (value: number): void => open.get(value)?.resolve(value);
  const refuse = (value: number): void => open.get(value)?.reject(new Error(`${value} is refused`));
  return { topology: builder.build(), asked, answer, refuse };
}
const committed = (port: ScriptedPort): number =>
  port.broker.committed('app', [{ topic: input.name, partition: 0 }])[0]?.offset ?? 0;

test('answers out of order go on in order; a commit leaves out what waits', async () => {
  const { topology, asked, answer } = asking();
  const { port, runner } = setUp(topology);
  await runner.start();
  port.append([number('k', 1), number('k', 20), number('k', 300)]);
  await expect.poll(() => asked).toEqual([1, 20, 300]);
  answer(300);
  answer(1);
  await expect.poll(() => sums(port)).toEqual([1]);
  expect(committed(port)).toBe(1);
  answer(20);
  await expect.poll(() => sums(port)).toEqual([1, 21, 321]);
  expect(committed(port)).toBe(3);
  await runner.close();
});

test('close does not wait for answers; the next run asks again', async () => {
  const { topology, asked, answer } = asking();
  const { port, runner } = setUp(topology);
  await runner.start();
  port.append([number('k', 1), number('k', 20)]);
  await expect.poll(() => asked).toEqual([1, 20]);
  answer(1);
  await expect.poll(() => sums(port)).toEqual([1]);
  await runner.close();
  answer(20);
  await sleep(20);
  expect([sums(port), committed(port)]).toEqual([[1], 1]);
});

test('a rebalance does not wait for answers; those of a task that has gone are not heard', async () => {
  const { topology, asked, answer } = asking();
  const { port, runner } = setUp(topology);
  await runner.start();
  port.append([number('k', 1), number('k', 20)]);
  await expect.poll(() => asked).toEqual([1, 20]);
  const member = only(port);
  await member.onRevoking(port.assignment(member, 1).group);
  member.onAssigned({ ...port.assignment(member, 2), partitions: [] });
  await sleep(10);
  answer(1);
  answer(20);
  await sleep(10);
  expect(sums(port)).toEqual([]);
  member.onAssigned(port.assignment(member, 3));
  await expect.poll(() => asked).toEqual([1, 20, 1, 20]);
  answer(20);
  answer(1);
  await expect.poll(() => sums(port)).toEqual([1, 21]);
  await runner.close();
});

test('a task that stays over a rebalance goes on with the calls that it has made', async () => {
  const { topology, asked, answer } = asking();
  const { port, runner } = setUp(topology);
  await runner.start();
  port.append([number('k', 1), number('k', 20)]);
  await expect.poll(() => asked).toEqual([1, 20]);
  const member = only(port);
  await member.onRevoking(port.assignment(member, 1).group);
  answer(1);
  await sleep(10);
  expect(sums(port)).toEqual([]);
  member.onAssigned(port.assignment(member, 2));
  answer(20);
  await expect.poll(() => sums(port)).toEqual([1, 21]);
  expect(asked).toEqual([1, 20]);
  await runner.close();
});

test('after an aborted transaction all that it held is asked for again, and counts once', async () => {
  const { topology, asked, answer } = asking();
  const { port, runner } = setUp(topology);
  await runner.start();
  port.append([number('k', 1), number('k', 20)]);
  await expect.poll(() => asked).toEqual([1, 20]);
  let aborted = 0;
  port.onCommit = () => {
    aborted += 1;
    port.onCommit = async () => {};
    return Promise.reject(new Error('aborted'));
  };
  answer(1);
  await expect.poll(() => asked, { timeout: 3_000 }).toEqual([1, 20, 1, 20]);
  answer(20);
  answer(1);
  await expect.poll(() => sums(port)).toEqual([1, 21]);
  expect(aborted).toBe(1);
  await runner.close();
});

test('while nothing is answered no more is asked than the bound, and fetching stops', async () => {
  const { topology, asked, answer } = asking(4);
  const { port, runner } = setUp(topology);
  let fetched = 0;
  const { fetcher } = port;
  port.fetcher = (options) =>
    fetcher({
      ...options,
      onBatch: (batch) => {
        fetched += batch.records.length;
        options.onBatch(batch);
      },
    });
  await runner.start();
  port.append(Array.from({ length: 20_000 }, (_, index) => number('k', index)));
  for (let before = -1; before !== fetched; await sleep(50)) before = fetched;
  expect(fetched).toBeGreaterThan(4);
  expect(fetched).toBeLessThan(11_000);
  expect(asked).toEqual([0, 1, 2, 3]);
  for (let next = 0; next < 20_000; next += 1) {
    while (asked.length <= next) await new Promise(setImmediate);
    answer(next);
  }
  await expect.poll(() => sums(port).length, { timeout: 10_000 }).toBe(20_000);
  expect(sums(port).at(-1)).toBe((19_999 * 20_000) / 2);
  await runner.close();
}, 30_000);

test('a call that is never answered ends by its time, and the flow goes on', async () => {
  const { topology, asked, answer } = asking(4, 100);
  const { port, runner, logged } = setUp(topology, 1, { onFailure: 'dead-letter' });
  await runner.start();
  port.append([number('k', 1), number('k', 20)]);
  await expect.poll(() => asked).toEqual([1, 20]);
  answer(20);
  await expect.poll(() => sums(port)).toEqual([20]);
  expect(logged.join()).toContain('ask: failed: ask: not answered in 100 ms');
  expect(port.broker.records(`${input.name}.dlq`)).toHaveLength(1);
  expect(committed(port)).toBe(2);
  await runner.close();
});

test('what came before a rejected record is committed; then the run begins again at it', async () => {
  const { topology, asked, answer, refuse } = asking();
  const { port, runner, logged } = setUp(topology);
  await runner.start();
  port.append([number('k', 1), number('k', 13), number('k', 20)]);
  await expect.poll(() => asked).toEqual([1, 13, 20]);
  answer(1);
  refuse(13);
  await expect.poll(() => logged.join()).toContain('13 is refused');
  await expect.poll(() => asked, { timeout: 3_000 }).toEqual([1, 13, 20, 13, 20]);
  expect([sums(port), committed(port)]).toEqual([[1], 1]);
  answer(13);
  answer(20);
  await expect.poll(() => sums(port)).toEqual([1, 14, 34]);
  await runner.close();
});

test('a piped operator that emits on a timer ends the run, though no other record comes', async () => {
  const builder = new StreamsBuilder();
  builder.stream(input).pipe(delay(5), { as: 'late' }).to(output);
  const { port, runner, logged } = setUp(builder.build(), 1, { onFailure: 'continue' });
  await runner.start();
  port.append([number('k', 1)]);
  await expect.poll(() => logged.join()).toMatch(/application-failed: .*late: a piped operator emitted outside/);
  await runner.close();
});
