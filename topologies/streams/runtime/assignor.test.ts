import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignTasks } from './assignor.ts';

const tasksOf = (count: number) =>
  Array.from({ length: count }, (_, partition) => ({
    taskId: `0_${partition}`,
    partitions: [{ topic: 't', partition }],
  }));
const memberOf = (memberId: string, owned: readonly number[]) => ({
  memberId,
  groupInstanceId: memberId,
  userData: new Uint8Array(),
  owned: owned.map((partition) => ({ topic: 't', partition })),
});
const share = (result: ReturnType<typeof assignTasks>, id: string) =>
  (result.get(id) ?? []).map((one) => one.partition);

test('a third member takes a task from one of two that have two each', () => {
  const result = assignTasks(tasksOf(4), [memberOf('a', [0, 1]), memberOf('b', [2, 3]), memberOf('c', [])]);
  expect(share(result, 'c')).toHaveLength(1);
});

test('every task has one owner, shares differ by one at most, and who is within its share keeps what it has', () => {
  const owners = fc.record({
    owned: fc.array(fc.nat(5), { minLength: 0, maxLength: 20 }),
    members: fc.integer({ min: 1, max: 6 }),
  });
  fc.assert(
    fc.property(owners, ({ owned, members }) => {
      const ids = Array.from({ length: members }, (_, index) => `m${index}`);
      const before = new Map(ids.map((id, index) => [id, owned.flatMap((who, task) => (who === index ? [task] : []))]));
      const result = assignTasks(
        tasksOf(owned.length),
        ids.map((id) => memberOf(id, before.get(id) ?? [])),
      );
      const all = ids.flatMap((id) => share(result, id)).sort((a, b) => a - b);
      expect(all).toEqual(owned.map((_, task) => task));
      const sizes = ids.map((id) => share(result, id).length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      const least = Math.floor(owned.length / members);
      for (const id of ids) {
        const had = before.get(id) ?? [];
        if (had.length <= least) expect(share(result, id)).toEqual(expect.arrayContaining(had));
      }
    }),
  );
});
