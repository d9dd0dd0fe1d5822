import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { InvalidArgumentError, StreamsWorker } from '../index.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { summing } from '../test/summing.ts';
import { StateCleaner } from './state-cleaner.ts';
import { TaskStorages } from './task-storages.ts';

const delayMs = 600_000;

/** A disk with the folders of these tasks. */
const storagesOver = (...ids: readonly string[]) => {
  const disk = new Set(ids);
  const storages = new TaskStorages('app', summing().plan('app'), {
    storage: (_application, taskId) => {
      disk.add(taskId);
      return new MemoryStorage();
    },
    taskIds: () => [...disk],
    removeTask: (_application, taskId) => void disk.delete(taskId),
  });
  return { storages, disk };
};

describe('what is removed', () => {
  test('what was not open since a look that lies long enough back', async () => {
    const { storages, disk } = storagesOver('0_0', '0_1');
    storages.open('0_0');
    expect(storages.removeUnused(1_000, delayMs)).toEqual([]);
    expect(storages.removeUnused(1_000 + delayMs - 1, delayMs)).toEqual([]);
    expect(storages.removeUnused(1_000 + delayMs, delayMs)).toEqual(['0_1']);
    await storages.closeAll();
    expect(storages.removeUnused(2 * delayMs, delayMs)).toEqual([]);
    expect(storages.removeUnused(3 * delayMs, delayMs)).toEqual(['0_0']);
    expect([...disk]).toEqual([]);
  });

  test('a task that was here in between, however shortly, begins anew', async () => {
    const { storages } = storagesOver('0_0');
    storages.removeUnused(0, delayMs);
    storages.open('0_0');
    await storages.closeAll();
    expect(storages.removeUnused(delayMs, delayMs)).toEqual([]);
    expect(storages.removeUnused(2 * delayMs, delayMs)).toEqual(['0_0']);
  });

  test('the leader is not told of it any more', async () => {
    const { storages } = storagesOver('0_0');
    await storages.look();
    expect([...storages.positions().keys()]).toEqual(['0_0']);
    storages.removeUnused(0, delayMs);
    storages.removeUnused(delayMs, delayMs);
    expect([...storages.positions().keys()]).toEqual([]);
  });
});

describe('when it is looked for', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const cleanerOf = (removeUnused: TaskStorages['removeUnused']) => {
    const logged: string[] = [];
    const cleaner = new StateCleaner({
      applicationId: 'app',
      storages: { removeUnused },
      delayMs,
      log: (level, event, message) => logged.push(`${level} ${event}: ${message}`),
    });
    return { cleaner, logged };
  };

  test('every minute, but not while the group moves', () => {
    const { storages, disk } = storagesOver('0_0');
    const { cleaner, logged } = cleanerOf((...args) => storages.removeUnused(...args));
    cleaner.start();
    vi.advanceTimersByTime(delayMs - 1);
    cleaner.stop();
    vi.advanceTimersByTime(delayMs);
    expect([disk.size, logged]).toEqual([1, []]);
    cleaner.start();
    expect(disk.size).toBe(0);
    expect(logged).toEqual([expect.stringMatching(/^info state-removed: app: the state of tasks 0_0 was removed/)]);
    cleaner.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('what the disk refuses is told, and tried again', () => {
    const remove = vi.fn<TaskStorages['removeUnused']>(() => {
      throw new Error('EACCES');
    });
    const { cleaner, logged } = cleanerOf(remove);
    cleaner.start();
    vi.advanceTimersByTime(60_000);
    cleaner.stop();
    expect(remove).toHaveBeenCalledTimes(2);
    expect(logged[1]).toMatch(/^warn state-removal-failed: app: .*stays on the disk, and is tried again: EACCES/);
  });
});

test.each([0, -1, Number.NaN])('a delay of %d is refused before anything is made', (stateCleanupDelayMs) => {
  const options = { applications: [], port: new ScriptedPort(), stateDir: '/nowhere', stateCleanupDelayMs };
  expect(() => new StreamsWorker(options)).toThrow(InvalidArgumentError);
});
