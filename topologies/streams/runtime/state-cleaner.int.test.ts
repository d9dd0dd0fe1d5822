import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StateFolder } from '../state/state-folder.ts';
import { number, only, setUp, sums } from '../test/scripted-run.ts';
import { input, summing } from '../test/summing.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-cleaner-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('state of tasks that have gone to others is removed; of those that run here or are copies, and of global tables, it stays', async () => {
  const state = new StateFolder(folder);
  // As a topology with more sub-topologies has left it; what is no task's is not looked at.
  for (const name of ['7_0', 'global']) await state.storage('app', name).close();
  const { port, runner, logged } = setUp(summing(), 4, { state, stateCleanupDelayMs: 100 });
  const send = (...values: readonly number[]) =>
    port.append([0, 1, 2, 3].flatMap((partition) => values.map((value) => ({ ...number('k', value), partition }))));
  await runner.start();
  send(1);
  await expect.poll(() => sums(port)).toEqual([1, 1, 1, 1]);
  await expect.poll(() => state.taskIds('app').toSorted()).toEqual(['0_0', '0_1', '0_2', '0_3']);
  expect(logged.filter((line) => line.startsWith('state-removed'))).toEqual([
    'state-removed: app: the state of tasks 7_0 was removed from the disk; they have not been here for 100 ms',
  ]);

  const member = only(port);
  const all = port.assignment(member, 2);
  await member.onRevoking(all.group);
  const partitions = [0, 1].map((partition) => ({ topic: input.name, partition }));
  member.onAssigned({ ...all, partitions, userData: JSON.stringify({ standby: ['0_2'], warmup: [] }) });
  await expect.poll(() => state.taskIds('app').toSorted(), { timeout: 5_000 }).toEqual(['0_0', '0_1', '0_2']);
  expect(logged.at(-1)).toMatch(/^state-removed: app: the state of tasks 0_3 was/);

  const before = sums(port).length;
  await member.onRevoking(all.group);
  member.onAssigned(port.assignment(member, 3));
  send(10);
  await expect.poll(() => sums(port).slice(before)).toEqual([11, 11, 11, 11]); // 0_3 by its changelog
  await runner.close();
  expect(state.lastKnown('app', 'global')).not.toBeNull();
  state.close();
});
