import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type SharedTask, type SharingMember, shareTasks, type TaskShare } from './share-tasks.ts';

const options = { numStandbyReplicas: 0, acceptableRecoveryLag: 10_000, maxWarmupReplicas: 2 };
/** State that nobody else has: too much to move without a warm-up. */
const everything = 1_000_000;

const statefulTasks = (count: number): readonly SharedTask[] =>
  Array.from({ length: count }, (_, partition) => ({ taskId: `0_${partition}`, stateful: true }));
const member = (
  name: string,
  owned: readonly string[] = [],
  {
    processId = name,
    capacity = 1,
    lags = {},
  }: {
    readonly processId?: string;
    readonly capacity?: number;
    readonly lags?: Readonly<Record<string, number>>;
  } = {},
): SharingMember => ({
  memberId: `id-of-${name}`,
  name,
  processId,
  capacity,
  owned: new Set(owned),
  lag: (taskId) => lags[taskId] ?? (owned.includes(taskId) ? 0 : everything),
});
const of = (shares: ReadonlyMap<string, TaskShare>, name: string): TaskShare => {
  const share = shares.get(`id-of-${name}`);
  if (share === undefined) throw new Error(`${name} was given nothing, not even an empty share`);
  return share;
};

test('tasks without state move to a newcomer at once', () => {
  const tasks = statefulTasks(4).map((task) => ({ ...task, stateful: false }));
  const shares = shareTasks(tasks, [member('a', ['0_0', '0_1']), member('b', ['0_2', '0_3']), member('c')], options);
  expect(of(shares, 'c').active).toHaveLength(1);
  expect(of(shares, 'c').warmup).toEqual([]);
});

test('who has twice the capacity has twice the tasks', () => {
  const shares = shareTasks(statefulTasks(6), [member('a', [], { capacity: 2 }), member('b')], options);
  expect([of(shares, 'a').active.length, of(shares, 'b').active.length]).toEqual([4, 2]);
});

test('tasks of one sub-topology are spread, not given to one member', () => {
  const tasks = [0, 1].flatMap((sub) => [0, 1, 2].map((one) => ({ taskId: `${sub}_${one}`, stateful: false })));
  const shares = shareTasks(tasks, [member('a'), member('b'), member('c')], options);
  for (const name of ['a', 'b', 'c'])
    expect(
      of(shares, name)
        .active.map((id) => id.slice(0, 1))
        .sort(),
    ).toEqual(['0', '1']);
});

test('a newcomer is given its part of each sub-topology, where all cost about the same to move', () => {
  const tasks = [0, 1].flatMap((sub) => [0, 1, 2, 3].map((one) => ({ taskId: `${sub}_${one}`, stateful: sub === 1 })));
  const owned = tasks.map(({ taskId }) => taskId);
  const few = Object.fromEntries(owned.map((id, index) => [id, 1_000 + index]));
  const shares = shareTasks(tasks, [member('a', owned), member('b', [], { lags: few })], options);
  for (const name of ['a', 'b'])
    expect(
      of(shares, name)
        .active.map((id) => id.slice(0, 1))
        .sort(),
    ).toEqual(['0', '0', '1', '1']);
});

test('threads of one process keep no copies for each other, and both of its copies are not in another one', () => {
  const tasks = statefulTasks(4);
  const owned = [['0_0'], ['0_1'], ['0_2'], ['0_3']];
  const members = ['a-0', 'a-1', 'b-0', 'b-1'].map((name, index) =>
    member(name, owned[index], { processId: name.slice(0, 1) }),
  );
  const shares = shareTasks(tasks, members, { ...options, numStandbyReplicas: 2 });
  const standbysOf = (process: string) =>
    [`${process}-0`, `${process}-1`].flatMap((name) => of(shares, name).standby).sort();
  expect([standbysOf('a'), standbysOf('b')]).toEqual([
    ['0_2', '0_3'],
    ['0_0', '0_1'],
  ]);
});

describe('a task with much state', () => {
  const tasks = statefulTasks(4);
  const all = tasks.map((task) => task.taskId);

  test('stays with its owner while the newcomer that should have it warms up', () => {
    const shares = shareTasks(tasks, [member('a', all), member('b')], options);
    expect(of(shares, 'a').active).toEqual(all);
    expect(of(shares, 'b').active).toEqual([]);
    expect(of(shares, 'b').warmup).toHaveLength(2);
    expect(of(shares, 'b').standby).toEqual(of(shares, 'b').warmup);
  });

  test('moves when that copy lacks no more than is acceptable; others do not', () => {
    const shares = shareTasks(
      tasks,
      [member('a', all), member('b', [], { lags: { '0_2': 10_000, '0_3': 10_001 } })],
      options,
    );
    expect(of(shares, 'b')).toEqual({ active: ['0_2'], standby: ['0_3'], warmup: ['0_3'] });
  });

  test('is warmed up in no more places at once than maxWarmupReplicas says', () => {
    const many = statefulTasks(10);
    const members = [
      member(
        'a',
        many.map((task) => task.taskId),
      ),
      member('b'),
    ];
    expect(of(shareTasks(many, members, options), 'b').warmup).toHaveLength(2);
    expect(of(shareTasks(many, members, { ...options, maxWarmupReplicas: 4 }), 'b').warmup).toHaveLength(4);
  });

  test('goes to the standby when its owner has left', () => {
    const survivors = [member('b', ['0_2', '0_3'], { lags: { '0_0': 12, '0_1': 9 } }), member('c')];
    const shares = shareTasks(tasks, survivors, options);
    expect([...of(shares, 'b').active].sort()).toEqual(all); // the other one has nothing of it
    expect(of(shares, 'c').warmup).toHaveLength(2);
  });

  test('goes to who has most of it when nobody is caught up', () => {
    const shares = shareTasks(
      statefulTasks(2),
      [member('a', [], { lags: { '0_0': 900_000, '0_1': 20_000 } }), member('b', [], { lags: { '0_0': 30_000 } })],
      options,
    );
    expect([of(shares, 'a').active, of(shares, 'b').active]).toEqual([['0_1'], ['0_0']]);
  });

  test('an owner that has lost its disk gives way to a standby', () => {
    const lost = member('a', ['0_0'], { lags: { '0_0': everything } });
    const shares = shareTasks(statefulTasks(1), [lost, member('b', [], { lags: { '0_0': 3 } })], options);
    expect(of(shares, 'b').active).toEqual(['0_0']);
  });
});

describe('standbys', () => {
  const withStandbys = { ...options, numStandbyReplicas: 1 };

  test('stay where their copy is', () => {
    const tasks = statefulTasks(3);
    const members = [
      member('a', ['0_0'], { lags: { '0_1': 5 } }),
      member('b', ['0_1'], { lags: { '0_2': 5 } }),
      member('c', ['0_2'], { lags: { '0_0': 5 } }),
    ];
    const shares = shareTasks(tasks, members, withStandbys);
    expect(['a', 'b', 'c'].map((name) => of(shares, name).standby)).toEqual([['0_1'], ['0_2'], ['0_0']]);
  });

  test('with nobody else there are none, and tasks without state have none', () => {
    expect(of(shareTasks(statefulTasks(2), [member('a')], withStandbys), 'a').standby).toEqual([]);
    const stateless = [{ taskId: '0_0', stateful: false }];
    const shares = shareTasks(stateless, [member('a'), member('b')], withStandbys);
    expect([of(shares, 'a').standby, of(shares, 'b').standby]).toEqual([[], []]);
  });
});

const groups = fc.record({
  /** Of each task: who owns it (an index behind the members is nobody), and whether it has state. */
  tasks: fc.array(fc.record({ owner: fc.nat(6), stateful: fc.boolean() }), { maxLength: 24 }),
  capacities: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }),
  numStandbyReplicas: fc.nat(3),
  maxWarmupReplicas: fc.integer({ min: 1, max: 4 }),
  seed: fc.nat(1_000),
});
type Group = typeof groups extends fc.Arbitrary<infer T> ? T : never;

const taskList = (group: Group): readonly SharedTask[] =>
  group.tasks.map(({ stateful }, index) => ({ taskId: `${index % 3}_${index}`, stateful }));
const memberList = (group: Group, lag: (name: number, task: number) => number): readonly SharingMember[] =>
  group.capacities.map((capacity, name) => ({
    memberId: `id-of-${name}`,
    name: `${name}`,
    processId: `${name}`,
    capacity,
    owned: new Set(
      taskList(group).flatMap(({ taskId }, index) => (group.tasks[index]?.owner === name ? [taskId] : [])),
    ),
    lag: (taskId) => {
      const index = Number(taskId.slice(2));
      return group.tasks[index]?.owner === name ? 0 : lag(name, index);
    },
  }));
/** A lag that is anything, small or large, and the same when asked again. */
const anyLag = (seed: number) => (name: number, task: number) =>
  ((seed * 7_919 + name * 104_729 + task * 1_299_709) % 41) * 1_000;
const sharing = (group: Group) => ({ ...options, ...group });

describe('whatever the group', () => {
  test('each task is active once, its standbys are elsewhere, as many as were asked for or as there are others', () => {
    fc.assert(
      fc.property(groups, (group) => {
        const shares = [...shareTasks(taskList(group), memberList(group, anyLag(group.seed)), sharing(group)).values()];
        expect(shares).toHaveLength(group.capacities.length);
        expect(shares.flatMap((share) => share.active).sort()).toEqual(
          taskList(group)
            .map((task) => task.taskId)
            .sort(),
        );
        for (const { active, standby, warmup } of shares) {
          expect(new Set([...active, ...standby]).size).toBe(active.length + standby.length);
          expect(standby).toEqual(expect.arrayContaining([...warmup]));
        }
        const warmups = shares.flatMap((share) => share.warmup);
        expect(warmups.length).toBeLessThanOrEqual(group.maxWarmupReplicas);
        const wanted = Math.min(group.numStandbyReplicas, group.capacities.length - 1);
        for (const { taskId, stateful } of taskList(group)) {
          const copies = shares.filter((share) => share.standby.includes(taskId)).length;
          const warming = warmups.includes(taskId) ? 1 : 0;
          // A warm-up may stand where a standby would have, if there is no other place.
          expect(copies).toBe(stateful ? Math.min(wanted + warming, group.capacities.length - 1) : 0);
        }
      }),
    );
  });

  test('nobody is given a task whose state it lacks while somebody has it', () => {
    fc.assert(
      fc.property(groups, (group) => {
        const members = memberList(group, anyLag(group.seed));
        const shares = shareTasks(taskList(group), members, sharing(group));
        for (const { taskId } of taskList(group).filter((task) => task.stateful)) {
          const owner = members.find((one) => shares.get(one.memberId)?.active.includes(taskId));
          if (members.some((one) => one.lag(taskId) <= options.acceptableRecoveryLag))
            expect(owner?.lag(taskId)).toBeLessThanOrEqual(options.acceptableRecoveryLag);
        }
      }),
    );
  });

  test('with all state everywhere, shares follow capacity, and who is within its share keeps what it has', () => {
    fc.assert(
      fc.property(groups, (group) => {
        const members = memberList(group, () => 0);
        const shares = shareTasks(taskList(group), members, sharing(group));
        const capacity = group.capacities.reduce((sum, one) => sum + one, 0);
        for (const { memberId, capacity: own, owned } of members) {
          const active = shares.get(memberId)?.active ?? [];
          const exact = (group.tasks.length * own) / capacity;
          expect(active.length).toBeGreaterThanOrEqual(Math.floor(exact));
          expect(active.length).toBeLessThanOrEqual(Math.ceil(exact));
          if (owned.size <= Math.floor(exact)) expect(active).toEqual(expect.arrayContaining([...owned]));
        }
      }),
    );
  });

  test('warm-ups come to an end: then the shares are balanced, and asking again changes nothing', () => {
    fc.assert(
      fc.property(groups, (group) => {
        const tasks = taskList(group);
        const there = new Map(group.capacities.map((_, name) => [name, new Set<string>()]));
        let members = memberList(group, () => everything);
        let shares = shareTasks(tasks, members, sharing(group));
        const next = (): void => {
          members = members.map((one) => {
            const share = shares.get(one.memberId);
            const copies = there.get(Number(one.name)) ?? new Set();
            for (const id of [...(share?.standby ?? []), ...(share?.active ?? [])]) copies.add(id);
            return { ...one, owned: new Set(share?.active), lag: (id) => (copies.has(id) ? 0 : everything) };
          });
          shares = shareTasks(tasks, members, sharing(group));
        };
        for (let round = 0; round <= tasks.length; round += 1) next();
        const capacity = group.capacities.reduce((sum, one) => sum + one, 0);
        for (const { memberId, capacity: own } of members) {
          const exact = (tasks.length * own) / capacity;
          expect(Math.abs((shares.get(memberId)?.active.length ?? 0) - exact)).toBeLessThan(1);
          expect(shares.get(memberId)?.warmup).toEqual([]);
        }
        const settled = members.map((one) => [...(shares.get(one.memberId)?.active ?? [])].sort());
        next();
        expect(members.map((one) => [...(shares.get(one.memberId)?.active ?? [])].sort())).toEqual(settled);
      }),
    );
  });

  test('the order in which members are told does not matter', () => {
    fc.assert(
      fc.property(groups, (group) => {
        const members = memberList(group, anyLag(group.seed));
        const backwards = shareTasks(taskList(group), [...members].reverse(), sharing(group));
        expect(backwards).toEqual(shareTasks(taskList(group), members, sharing(group)));
      }),
    );
  });
});
