import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type RestoreProgress, StreamsWorker, type StreamsWorkerOptions, type Topology } from '../index.ts';
import { kafkaForTests } from '../test/kafka-for-tests.ts';
import { summing } from '../test/summing.ts';
import { SumsFlow } from '../test/sums-flow.ts';

const own = kafkaForTests('group-test');

type Given = Partial<StreamsWorkerOptions> & { readonly topology?: Topology };

interface Assigned {
  readonly generationId: number;
  readonly tasks: readonly string[];
  readonly standbys: readonly string[];
  readonly warmups: readonly string[];
}

/** A worker, what it has logged, and what the group has assigned to it last. */
class Member implements AsyncDisposable {
  readonly lines: string[] = [];
  /** Every assignment, the newest last. */
  readonly assigned: Assigned[] = [];
  readonly worker: StreamsWorker;

  constructor(applicationId: string, instanceId: string | undefined, { topology = summing(), ...options }: Given) {
    this.worker = new StreamsWorker({
      applications: [{ applicationId, topology }],
      bootstrapServers: own.bootstrapServers,
      stateDir: join(own.stateDir, applicationId),
      ...(instanceId !== undefined && { instanceId }),
      log: (_level, event, message, fields) => {
        this.lines.push(`${event}: ${message}`);
        if (event === 'assigned') this.assigned.push(fields as unknown as Assigned); // as the run writes them
      },
      ...options,
    });
  }

  get tasks(): readonly string[] {
    return this.assigned.at(-1)?.tasks ?? [];
  }

  get standbys(): readonly string[] {
    return this.assigned.at(-1)?.standbys ?? [];
  }

  said(event: string): readonly string[] {
    return this.lines.filter((line) => line.startsWith(`${event}: `));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.worker.close();
  }
}

/** Topics of its own for one application that sums, and members of its group. */
class Flow extends SumsFlow {
  readonly applicationId: string;

  constructor(applicationId: string, partitions = 4) {
    super(own.kafka, `${applicationId}-in`, `${applicationId}-out`, partitions);
    this.applicationId = applicationId;
  }

  static open(applicationId: string, partitions?: number): Promise<Flow> {
    return new Flow(applicationId, partitions).open();
  }

  topology(store?: string): Topology {
    return summing(this.from.name, this.to.name, store);
  }

  member(instanceId: string | undefined, options: Given = {}): Member {
    return new Member(this.applicationId, instanceId, { topology: this.topology(), ...options });
  }

  async started(instanceId: string | undefined, options: Given = {}): Promise<Member> {
    const member = this.member(instanceId, options);
    await member.worker.start();
    return member;
  }
}

const soon = { timeout: 25_000, interval: 50 };

test('a rolling restart moves nothing: the generation of the others stays, and every sum comes once', async () => {
  await using flow = await Flow.open('rolling');
  let one = await flow.started('one');
  let two = await flow.started('two');
  await expect.poll(() => [one.tasks.length, two.tasks.length], soon).toEqual([2, 2]);
  await flow.send(230);
  await flow.summed();
  const before = { one: one.assigned.at(-1), two: two.assigned.at(-1) };
  const [assignedOnce, assignedTwice] = [one.assigned.length, two.assigned.length];

  const sending = flow.send(4_600);
  await one.worker.close();
  one = await flow.started('one');
  expect(one.assigned).toEqual([before.one]);
  await two.worker.close();
  two = await flow.started('two');
  expect(two.assigned).toEqual([before.two]);
  await sending;
  await flow.summed();
  expect(one.assigned).toEqual([before.one]); // it was not asked to join again when the other came back
  expect([assignedOnce, assignedTwice]).toEqual([2, 1]);
  await Promise.all([one.worker.close(), two.worker.close()]);
}, 60_000);

test('a worker that was given no id has its place and its transactions under the one that it keeps', async () => {
  await using flow = await Flow.open('nameless');
  const idle = { stateDir: join(own.stateDir, 'nameless-folder') };
  const first = await flow.started(undefined, idle);
  const before = first.assigned;
  const { instanceId } = first.worker;
  await first.worker.close();
  await using back = await flow.started(undefined, idle);
  expect(back.worker.instanceId).toBe(instanceId);
  expect(back.assigned).toEqual(before); // the generation, too: the group has not noticed
  await flow.send(23);
  await flow.summed();
  await own.kafka.fence(`nameless/${instanceId}`);
  await flow.send(23);
  await flow.summed();
  expect(back.said('application-failed')).toHaveLength(1); // another owner of just these ids shuts it out, until it begins again
}, 60_000);

test('newcomers with another topology wait for the old members, whom they do not disturb, and take over', async () => {
  await using flow = await Flow.open('deploying');
  const one = await flow.started('one');
  const two = await flow.started('two');
  await expect.poll(() => [one.tasks.length, two.tasks.length], soon).toEqual([2, 2]);
  const assignments = [one.assigned.length, two.assigned.length];

  const changed = flow.topology('sums-2');
  const [oldHash, newHash] = [flow.topology(), changed].map((topology) => topology.plan('deploying').hash);
  await using three = flow.member('three', { topology: changed });
  await using four = flow.member('four', { topology: changed });
  const starting = [three, four].map((member) => member.worker.start());
  await expect.poll(() => [three, four].map((member) => member.said('topology-differs').length), soon).toEqual([1, 1]);
  expect(three.said('topology-differs')[0]).toContain(`its topology is ${newHash}, that of one, two is ${oldHash};`);
  await flow.send(230);
  await flow.summed();
  expect([one.assigned.length, two.assigned.length]).toEqual(assignments);
  expect([three.tasks, four.tasks]).toEqual([[], []]);

  await one.worker.close();
  await two.worker.close();
  await Promise.all(starting);
  await expect.poll(() => [three.tasks.length, four.tasks.length], soon).toEqual([2, 2]);
}, 90_000);

test('an instance that comes back with another topology gives up its former place, and waits until the others have, too', async () => {
  await using flow = await Flow.open('redeploying');
  const one = await flow.started('one');
  const two = await flow.started('two');
  await expect.poll(() => [one.tasks.length, two.tasks.length], soon).toEqual([2, 2]);
  await one.worker.close();
  const topology = flow.topology('sums-2');
  await using newOne = flow.member('one', { topology });
  const starting = newOne.worker.start();
  await expect.poll(() => two.tasks.length, soon).toBe(4); // at once, not when the session of its former self ends
  await expect.poll(() => newOne.said('topology-differs'), soon).toHaveLength(1);
  expect(newOne.said('topology-differs')[0]).toContain('that of two is');
  await flow.send(230);
  await flow.summed();
  await two.worker.close();
  await using newTwo = await flow.started('two', { topology });
  await starting;
  await expect.poll(() => [newOne.tasks.length, newTwo.tasks.length], soon).toEqual([2, 2]);
}, 90_000);

test('a living namesake with another topology is put out once, not again and again', async () => {
  await using flow = await Flow.open('namesakes');
  await using old = await flow.started('one');
  await using two = await flow.started('two');
  await using newer = flow.member('one', {
    topology: flow.topology('sums-2'),
    stateDir: join(own.stateDir, 'namesakes-elsewhere'),
  });
  const refused = expect(newer.worker.start()).rejects.toThrow('was closed');
  await expect.poll(() => newer.said('topology-differs').at(-1), soon).toContain('that of one, two is');
  await flow.send(230);
  await flow.summed();
  const generation = old.assigned.at(-1)?.generationId;
  await flow.send(230);
  await flow.summed();
  expect([old, two].map((member) => member.assigned.at(-1)?.generationId)).toEqual([generation, generation]);
  await newer.worker.close();
  await refused;
}, 60_000);

test('who waits can be closed', async () => {
  await using flow = await Flow.open('closing');
  await using _one = await flow.started('one');
  const two = flow.member('two', { topology: flow.topology('sums-2') });
  const starting = two.worker.start();
  const refused = expect(starting).rejects.toThrow('was closed');
  await expect.poll(() => two.said('topology-differs'), soon).toHaveLength(1);
  await two.worker.close();
  await refused;
}, 60_000);

/** Records that the restores of this member have read. */
const restoredBy = (member: Member): number =>
  member.said('restored').reduce((sum, line) => sum + Number(/(\d+) records/.exec(line)?.[1] ?? 0), 0);

test.each([
  ['on its disk', 'standing-by', true],
  ['in its memory', 'remembering', false],
] as const)(
  'a standby holds a copy on another instance, %s, and takes over without a restore',
  async (_where, name, persistent) => {
    await using flow = await Flow.open(name);
    const options = { numStandbyReplicas: 1, topology: summing(flow.from.name, flow.to.name, 'sums', persistent) };
    const one = await flow.started('one', options);
    await using two = await flow.started('two', options);
    await expect.poll(() => [one.tasks.length, two.tasks.length], soon).toEqual([2, 2]);
    await expect.poll(() => [one.standbys, two.standbys], soon).toEqual([two.tasks, one.tasks]);
    await flow.send(2_300, 2_300);
    await flow.summed();
    const restoredBefore = restoredBy(two);

    await one.worker.close();
    await expect.poll(() => two.tasks.length, soon).toBe(4);
    await flow.send(230);
    await flow.summed();
    expect(two.standbys).toEqual([]);
    // Transactions may have come in between its last look and the take-over, not more.
    expect(restoredBy(two) - restoredBefore).toBeLessThan(100);
  },
  90_000,
);

test('tasks with much state move to a newcomer only when it has warmed up, and nothing stops meanwhile', async () => {
  await using flow = await Flow.open('warming-up');
  const options = { acceptableRecoveryLag: 50, maxWarmupReplicas: 1 };
  const one = await flow.started('one', options);
  await flow.send(4_000, 4_000);
  await flow.summed();
  await using two = await flow.started('two', options);
  expect(two.assigned[0]).toMatchObject({ tasks: [], standbys: [expect.any(String)], warmups: [expect.any(String)] });
  await flow.send(230);
  await expect.poll(() => [one.tasks.length, two.tasks.length], soon).toEqual([2, 2]);
  const warmed = [...new Set(two.assigned.flatMap(({ warmups }) => warmups))].sort();
  expect(warmed).toEqual([...two.tasks].sort());
  expect(two.assigned.map(({ tasks }) => tasks.length)).toEqual([0, 1, 2]); // one at a time
  expect(restoredBy(two)).toBeLessThan(100); // the rest of each was read as a standby
  await flow.send(230);
  await flow.summed();
  await one.worker.close();
}, 60_000);

test('an instance of twice the capacity has twice the tasks; one that comes back with its disk is given what it had', async () => {
  await using flow = await Flow.open('capacities', 6);
  await flow.send(3_000, 3_000);
  const options = { acceptableRecoveryLag: 50 };
  const one = await flow.started('one', { ...options, capacity: 2 });
  await using two = await flow.started('two', options);
  await flow.summed();
  await expect.poll(() => [one.tasks.length, two.tasks.length], soon).toEqual([4, 2]);
  await flow.send(3_000, 3_000); // by now the copies that it has of the others' tasks are old
  await flow.summed();
  const had = [...one.tasks].sort();
  await one.worker.close();
  await expect.poll(() => two.tasks.length, soon).toBe(6); // its session has ended
  await using back = await flow.started('one', { ...options, capacity: 2 });
  await expect.poll(() => back.tasks.length, soon).toBe(4);
  expect([...back.tasks].sort()).toEqual(had);
  expect(back.assigned[0]?.warmups).toEqual([]); // its copies lack next to nothing
}, 90_000);

test('a restore tells how far it has come', async () => {
  await using flow = await Flow.open('restoring', 2);
  {
    await using _first = await flow.started('one');
    await flow.send(4_000, 4_000);
    await flow.summed();
  }
  rmSync(join(own.stateDir, 'restoring'), { recursive: true });
  await using back = flow.member('one');
  const told: RestoreProgress[] = [];
  back.worker.restore$.subscribe((progress) => told.push(progress));
  await back.worker.start();
  expect(
    told
      .filter((one) => one.done)
      .map((one) => [one.taskId, one.store, one.partition])
      .sort(),
  ).toEqual([
    ['0_0', 'sums', 0],
    ['0_1', 'sums', 1],
  ]);
  const first = told.filter((one) => one.restored === 0);
  expect(first.map((one) => [one.etaMs, one.done])).toEqual([
    [null, false],
    [null, false],
  ]);
  const last = told.filter((one) => one.done);
  expect(last.map((one) => one.restored)).toEqual(last.map((one) => one.total));
  expect(last.reduce((sum, one) => sum + one.restored, 0)).toBeGreaterThanOrEqual(4_000);
  for (const one of last) expect(one.recordsPerSecond).toBeGreaterThan(0);
}, 60_000);
