import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Serdes } from '../index.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { number, only, setUp, sums } from '../test/scripted-run.ts';
import { summing } from '../test/summing.ts';
import { StandbyTasks } from './standby-tasks.ts';
import { TaskStorages } from './task-storages.ts';
import { changelogPosition } from './task-stores.ts';

const changelog = 'app-sums-changelog';
const row = (key: string, sum: number) => ({ ...number(key, sum), topic: changelog });

function standing(acceptableRecoveryLag = 10) {
  const port = new ScriptedPort();
  port.broker.createTopic(changelog, 1);
  const disk = new MemoryStorage();
  const topology = summing();
  const storages = new TaskStorages('app', topology.plan('app'), {
    storage: () => disk,
    taskIds: () => [],
    removeTask: () => {},
  });
  const heard: string[] = [];
  const standbys = new StandbyTasks({
    applicationId: 'app',
    topology,
    kafka: port,
    storages,
    log: () => {},
    acceptableRecoveryLag,
    onWarm: () => heard.push('warm'),
    onFailed: (error) => heard.push(String(error)),
  });
  return { port, disk, storages, standbys, heard };
}

const sumIn = (disk: MemoryStorage, key: string): number | null => {
  const bytes = Buffer.from(key);
  const store = disk.store({ name: 'sums' } as Parameters<MemoryStorage['store']>[0]); // memory asks for no more than the name
  const value = store.get(bytes, bytes.toString('latin1'));
  return value === null ? null : Serdes.integer.deserialize('', value);
};

test('a standby follows its changelog until it is given up', async () => {
  const { port, disk, standbys, storages, heard } = standing();
  port.append([row('k', 1)]);
  standbys.take(['0_0'], []);
  await expect.poll(() => sumIn(disk, 'k')).toBe(1);
  port.append([row('k', 3)]);
  await expect.poll(() => sumIn(disk, 'k')).toBe(3);
  expect([...storages.positions()]).toEqual([['0_0', 2]]);
  standbys.take([], []);
  port.append([row('k', 6)]);
  await sleep(30);
  expect(sumIn(disk, 'k')).toBe(3);
  expect(heard).toEqual([]);
  await standbys.close();
});

test('a copy that lies outside the log is read anew: its rows may be of another one', async () => {
  const { port, disk, standbys } = standing();
  port.append([row('new', 1)]);
  disk.write({
    rows: new Map([['sums', [[Buffer.from('old'), Buffer.from([0, 0, 0, 1])]]]]),
    metadata: new Map([['changelog:sums', '7']]),
  });
  const fetcher = port.fetcher;
  port.fetcher = (options) => {
    const real = fetcher(options);
    const assign = real.assign.bind(real);
    // As a broker: a position behind the end is refused, and where the log begins is told.
    real.assign = (partition, offset) =>
      offset > port.broker.end(partition) ? options.onOutOfRange(partition, offset, 0) : assign(partition, offset);
    return real;
  };
  standbys.take(['0_0'], []);
  await expect.poll(() => sumIn(disk, 'new')).toBe(1);
  expect(sumIn(disk, 'old')).toBe(null);
  expect(changelogPosition(disk, 'sums')).toBe(1);
  await standbys.close();
});

test('a warm-up tells once when it lacks no more than is acceptable; a standby that is no warm-up does not', async () => {
  const { port, standbys, heard } = standing(10);
  port.append(Array.from({ length: 350 }, (_, index) => row(`k${index}`, 1)));
  standbys.take(['0_0'], []);
  await sleep(30);
  expect(heard).toEqual([]);
  standbys.take(['0_0'], ['0_0']);
  expect(heard).toEqual(['warm']);
  port.append([row('k', 1)]);
  await sleep(30);
  expect(heard).toEqual(['warm']);
  await standbys.close();

  const behind = standing(10);
  const batches: number[] = [];
  const fetch = behind.port.broker.fetch.bind(behind.port.broker);
  behind.port.broker.fetch = (partition, offset, count) => {
    if (offset > 0) batches.push(behind.heard.length);
    return fetch(partition, offset, count);
  };
  behind.port.append(Array.from({ length: 350 }, (_, index) => row(`k${index}`, 1)));
  behind.standbys.take(['0_0'], ['0_0']);
  await expect.poll(() => behind.heard).toEqual(['warm']);
  expect(batches).toEqual([0, 0, 0]); // after 100, 200 and 300 records it lacked more
  await behind.standbys.close();
});

test('the task goes on with the storage of its standby, and reads only what that lacks', async () => {
  const { port, runner, opened, logged } = setUp();
  port.broker.createTopic(changelog, 1);
  port.append(Array.from({ length: 5 }, (_, index) => row('k', index + 1)));
  port.onJoin = async (member) => ({
    ...port.assignment(member, 1),
    partitions: [],
    userData: JSON.stringify({ standby: ['0_0'], warmup: ['0_0'] }),
  });
  await runner.start();
  await expect.poll(() => port.rejoins).toBe(1); // warmed up
  const member = only(port);
  await member.onRevoking(port.assignment(member, 1).group);
  port.append([row('k', 6)]);
  member.onAssigned(port.assignment(member, 2));
  port.append([number('k', 10)]);
  await expect.poll(() => sums(port)).toEqual([16]);
  expect(opened).toEqual(['0_0']);
  expect(logged.join()).toMatch(/1 tasks restored, [01] records/);

  // And back: another instance has it, this one keeps the copy up.
  await member.onRevoking(port.assignment(member, 2).group);
  member.onAssigned({
    ...port.assignment(member, 3),
    partitions: [],
    userData: JSON.stringify({ standby: ['0_0'], warmup: [] }),
  });
  await sleep(20);
  port.append([row('k', 100)]);
  await sleep(20);
  member.onAssigned(port.assignment(member, 4));
  port.append([number('k', 1)]);
  await expect.poll(() => sums(port)).toEqual([16, 101]);
  expect(opened).toEqual(['0_0']);
  await runner.close();
});
