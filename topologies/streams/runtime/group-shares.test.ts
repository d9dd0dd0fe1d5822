import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Member, partitionName } from '../kafka/port.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { number } from '../test/scripted-run.ts';
import { encodeReport, type MemberReport, shareOut, standbyShareIn } from './group-shares.ts';

const task = {
  taskId: '0_0',
  partitions: [{ topic: 'in', partition: 0 }],
  changelogs: [{ topic: 'log', partition: 0 }],
};
const options = { numStandbyReplicas: 0, acceptableRecoveryLag: 10, maxWarmupReplicas: 2 };
const member = (name: string, report: Partial<MemberReport> = {}): Member => ({
  memberId: name,
  groupInstanceId: name,
  userData: encodeReport({ processId: '', capacity: 1, running: [], positions: {}, probes: 0, ...report }),
  owned: [],
});
const port = new ScriptedPort();
port.broker.createTopic('log', 1);
port.append(Array.from({ length: 100 }, (_, index) => ({ ...number('k', index), topic: 'log' })));

/** Who gets the task, and who warms it up. */
async function given(members: readonly Member[], kafka = port, unknown: unknown[] = []) {
  const shares = await shareOut([task], members, kafka, options, (error) => unknown.push(error));
  const names = members.map((one) => one.memberId);
  return {
    active: names.filter((name) => shares.get(name)?.partitions.length === 1),
    warmup: names.filter((name) => standbyShareIn(shares.get(name)?.userData ?? '').warmup.length === 1),
  };
}

test('the copy that lacks least of the changelog is where the task goes', async () => {
  const members = [member('a', { positions: { '0_0': 20 } }), member('b', { positions: { '0_0': 95 } })];
  expect(await given(members)).toEqual({ active: ['b'], warmup: [] });
});

test('a copy that is ahead of its changelog is of another one, and counts as none', async () => {
  const members = [member('a', { positions: { '0_0': 101 } }), member('b', { positions: { '0_0': 60 } })];
  expect((await given(members)).active).toEqual(['b']);
});

test('when the ends of the changelogs are not told, the task stays where it runs', async () => {
  const away = Object.assign(new ScriptedPort(), { endOffsets: () => Promise.reject(new Error('away')) });
  const unknown: unknown[] = [];
  const members = [member('a', { positions: { '0_0': 100 } }), member('b', { running: ['0_0'] })];
  expect((await given(members, away, unknown)).active).toEqual(['b']);
  expect(unknown).toEqual([new Error('away')]);
});

test('all inputs of a task go to one member, and every input to somebody', async () => {
  const groups = fc.record({
    widths: fc.array(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }), { maxLength: 4 }),
    capacities: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(groups, async ({ widths, capacities }) => {
      const tasks = widths.flatMap((sources, sub) =>
        Array.from({ length: Math.max(...sources) }, (_, partition) => ({
          taskId: `${sub}_${partition}`,
          partitions: sources.flatMap((width, source) =>
            partition < width ? [{ topic: `${sub}-${source}`, partition }] : [],
          ),
          changelogs: [],
        })),
      );
      const members = capacities.map((capacity, name) => member(`${name}`, { capacity }));
      const shares = [...(await shareOut(tasks, members, port, options, () => {})).values()];
      const taskOf = new Map(tasks.flatMap((one) => one.partitions.map((input) => [partitionName(input), one.taskId])));
      const owners = shares.map(({ partitions }) => new Set(partitions.map((one) => taskOf.get(partitionName(one)))));
      const given = shares.flatMap(({ partitions }) => partitions.map(partitionName));
      expect(given.sort()).toEqual([...taskOf.keys()].sort());
      for (const { taskId } of tasks) expect(owners.filter((owned) => owned.has(taskId))).toHaveLength(1);
    }),
  );
});
