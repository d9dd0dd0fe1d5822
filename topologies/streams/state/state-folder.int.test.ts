import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StreamsWorker } from '../runtime/worker.ts';
import { ScriptedPort } from '../test/scripted-port.ts';
import { byteString } from './bytes.ts';
import { applicationFolders, removeApplicationState, StateFolder, StateFolderInUseError } from './state-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const spec = {
  name: 's',
  kind: 'key-value',
  persistent: true,
  logged: true,
  retentionMs: null,
  changelogConfig: {},
} as const;
const key = Uint8Array.of(1);

/** Writes one row, as a worker that ends there. */
async function leaveARow(): Promise<void> {
  const state = new StateFolder(folder);
  const storage = state.storage('app', '0_0');
  storage.write({ rows: new Map([['s', [[key, key]]]]), metadata: new Map() });
  await storage.close();
  state.close();
}

async function isThere(): Promise<boolean> {
  const state = new StateFolder(folder);
  const storage = state.storage('app', '0_0');
  const there = storage.store(spec).get(key, byteString(key)) !== null;
  await storage.close();
  state.close();
  return there;
}

test('rows outlive the process, not the machine', async () => {
  await leaveARow();
  expect(await isThere()).toBe(true);
  writeFileSync(join(folder, 'boot-id'), 'another boot');
  expect(await isThere()).toBe(false);
});

test('without a mark of the boot nobody knows what was lost', async () => {
  await leaveARow();
  rmSync(join(folder, 'boot-id'));
  expect(await isThere()).toBe(false);
});

test.skipIf(process.platform !== 'linux')(
  'a living owner keeps others out; one whose id another process has by now does not',
  () => {
    const lock = join(folder, 'lock');
    const first = new StateFolder(folder);
    const mine = readFileSync(lock, 'utf8');
    first.close();
    const began = readFileSync('/proc/1/stat', 'utf8').split(') ')[1]?.split(' ')[19];
    writeFileSync(lock, `1 ${began}`);
    expect(() => new StateFolder(folder)).toThrow(StateFolderInUseError);
    writeFileSync(lock, `1 ${mine.split(' ')[1]}`);
    expect(() => new StateFolder(folder).close()).not.toThrow();
    writeFileSync(lock, ''); // a crash of the machine has cut it short
    expect(() => new StateFolder(folder).close()).not.toThrow();
    expect(readdirSync(folder).filter((name) => name.startsWith('lock'))).toEqual([]);
  },
);

test('two workers of one process do not share a folder either, until the first has closed', () => {
  const first = new StateFolder(folder);
  expect(() => new StateFolder(`${folder}/`)).toThrow(/nothing was started.*another stateDir or instanceId/);
  first.close();
  new StateFolder(folder).close();
});

test('a worker that is given no id makes one up and keeps it; another folder has another', async () => {
  const workerIn = (stateDir: string) => new StreamsWorker({ applications: [], port: new ScriptedPort(), stateDir });
  const idIn = async (stateDir: string): Promise<string> => {
    const worker = workerIn(stateDir);
    await worker.close();
    return worker.instanceId;
  };
  const id = await idIn(folder);
  expect(id).toMatch(/^worker-[0-9a-f]{16}$/);
  expect(await idIn(folder)).toBe(id);
  expect(await idIn(join(folder, 'other'))).not.toBe(id);
  const worker = workerIn(folder);
  expect(() => workerIn(folder)).toThrow(StateFolderInUseError);
  await worker.close();
});

test("one application's rows are removed under every worker of a state folder, and none while one of them is in use", () => {
  const folders = ['.', 'one', 'pool/pool-0'].map((name) => join(folder, name));
  const [first, , third] = folders.map((name) => {
    const state = new StateFolder(name);
    for (const application of ['app', 'app-two'])
      state.storage(application, '0_0').write({ rows: new Map(), metadata: new Map() });
    state.close();
    return name;
  }) as [string, string, string];
  const found = () => applicationFolders(folder, 'app').map(({ worker }) => worker);
  expect(found().toSorted()).toEqual([...folders].toSorted());
  const busy = new StateFolder(third);
  expect(() => removeApplicationState(folder, 'app')).toThrow(/keeps its state in .*pool-0; nothing was deleted/);
  expect(found()).toHaveLength(3);
  busy.close();
  removeApplicationState(folder, 'app');
  expect(found()).toEqual([]);
  expect(applicationFolders(folder, 'app-two')).toHaveLength(3);
  new StateFolder(first).close(); // it is locked no longer
});
