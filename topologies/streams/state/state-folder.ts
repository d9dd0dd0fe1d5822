import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join, resolve } from 'node:path';
import { StreamsError } from '../errors.ts';
import { LmdbStorage } from './lmdb-storage.ts';
import type { TaskStorage } from './state-store.ts';

/** Another process works in this folder: two owners would overwrite each other's rows. */
export class StateFolderInUseError extends StreamsError {
  readonly code = 'STATE_FOLDER_IN_USE';
}

/** This run of the machine: after another one, what was not synced to the disk may be gone. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return String(Math.round((Date.now() / 1_000 - uptime()) / 60)); // elsewhere: the minute of the boot
  }
}

/** Ticks after the boot at which a process began: ids are used again, above all in containers. Empty where the system does not tell. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/** Folders that workers of this process hold: its own id in a lock tells nothing, for it may be left from a run before a crash. */
const held = new Set<string>();

const contentOf = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // not there (any more)
  }
};

const errorCodeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

/** Who wrote this lock and still lives; null: nobody. */
function ownerOf(lock: string): number | null {
  const [pid = '', began = ''] = lock.split(' ');
  const owner = Number(pid);
  const gone = owner === 0 || owner === process.pid || !isAlive(owner) || (began !== '' && began !== startOf(owner));
  return gone ? null : owner;
}

/**
 * Puts a lock in place that names this process, or takes over one whose owner has died.
 * @returns what takes it away again
 * @throws StateFolderInUseError
 */
function lockFolder(folder: string): () => void {
  const inUse = (owner: number): StateFolderInUseError =>
    new StateFolderInUseError(
      `process ${owner} keeps its state in ${folder}; nothing was started. Stop it, or give this worker another stateDir or instanceId.`,
    );
  if (held.has(resolve(folder))) throw inUse(process.pid);
  const lock = join(folder, 'lock');
  const mine = join(folder, `lock.${process.pid}`);
  writeFileSync(mine, `${process.pid} ${startOf(process.pid)}`);
  try {
    for (;;) {
      try {
        linkSync(mine, lock); // with its content, and only where none is: of two that begin at once one fails
        break;
      } catch (error) {
        if (errorCodeOf(error) !== 'EEXIST') throw error;
      }
      const there = contentOf(lock);
      if (there === null) continue;
      const owner = ownerOf(there);
      if (owner !== null) throw inUse(owner);
      removeStale(lock, there, `${mine}.stale`);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  held.add(resolve(folder));
  return () => {
    held.delete(resolve(folder));
    rmSync(lock, { force: true });
  };
}

/** Takes `lock` away if it is still the one that was read; one that another process has put there meanwhile goes back. */
function removeStale(lock: string, read: string, aside: string): void {
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return; // somebody else was faster
    throw error;
  }
  if (contentOf(aside) !== read) linkSync(aside, lock);
  rmSync(aside, { force: true });
}

/** Folder of a worker and what an application has left in it. */
interface ApplicationFolder {
  readonly worker: string;
  readonly folder: string;
}

/** Of a worker without an `instanceId`, of one with, of a thread of a pool. */
const deepest = 2;

/** Local state of an application that workers have left in a `stateDir`. */
export function applicationFolders(stateDir: string, applicationId: string, depth = 0): readonly ApplicationFolder[] {
  if (!existsSync(stateDir)) return [];
  const folder = join(stateDir, 'tasks', applicationId);
  const below = readdirSync(stateDir, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && entry.name !== 'tasks',
  );
  return [
    ...(existsSync(folder) ? [{ worker: stateDir, folder }] : []),
    ...(depth === deepest
      ? []
      : below.flatMap(({ name }) => applicationFolders(join(stateDir, name), applicationId, depth + 1))),
  ];
}

/**
 * Removes the local state of an application from a `stateDir`: all of it or, when one of the folders is in use, none.
 * @throws StateFolderInUseError
 */
export function removeApplicationState(stateDir: string, applicationId: string): void {
  using locked = new DisposableStack();
  const folders = applicationFolders(stateDir, applicationId);
  for (const { worker } of folders) {
    try {
      locked.defer(lockFolder(worker));
    } catch (cause) {
      if (!(cause instanceof StateFolderInUseError)) throw cause;
      throw new StateFolderInUseError(
        `a process that runs keeps its state in ${worker}; nothing was deleted. Stop it first.`,
        { cause },
      );
    }
  }
  for (const { folder } of folders) rmSync(folder, { recursive: true, force: true });
}

/** Where one worker keeps its id and its tasks' state; one process at a time. */
export class StateFolder {
  readonly #folder: string;
  readonly #unlock: () => void;

  /** @throws StateFolderInUseError */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#unlock = lockFolder(folder);
    const boot = join(folder, 'boot-id');
    // A mark that is not there may have been lost with the machine, and so may rows.
    if (!existsSync(boot) || readFileSync(boot, 'utf8') !== bootId()) this.#wipe();
    writeFileSync(boot, bootId());
  }

  #wipe(): void {
    rmSync(join(this.#folder, 'tasks'), { recursive: true, force: true });
  }

  /** Who the worker of this folder is in its groups: made up once, and kept as long as the folder. */
  workerId(): string {
    const file = join(this.#folder, 'worker-id');
    const kept = contentOf(file)?.trim() ?? '';
    if (/^worker-[0-9a-f]{16}$/.test(kept)) return kept; // else a crash of the machine has cut it short
    const id = `worker-${randomBytes(8).toString('hex')}`;
    writeFileSync(file, `${id}\n`, { flush: true });
    return id;
  }

  storage(applicationId: string, taskId: string): TaskStorage {
    return new LmdbStorage(join(this.#folder, 'tasks', applicationId, taskId));
  }

  /** Tasks of an application that have left something here, also those that others work on now. */
  taskIds(applicationId: string): readonly string[] {
    const folder = join(this.#folder, 'tasks', applicationId);
    return existsSync(folder) ? readdirSync(folder).filter((name) => /^\d+_\d+$/.test(name)) : [];
  }

  /** Removes what lies here of a task that is not open. Ended in the middle, it leaves a task without rows and positions: one that is restored. */
  removeTask(applicationId: string, taskId: string): void {
    rmSync(join(this.#folder, 'tasks', applicationId, taskId), { recursive: true, force: true });
  }

  /** What lies here of a task that is not open now, for looking only; null where it has never been. Close it in the same turn. */
  lastKnown(applicationId: string, taskId: string): TaskStorage | null {
    const folder = join(this.#folder, 'tasks', applicationId, taskId);
    return existsSync(folder) ? new LmdbStorage(folder) : null;
  }

  close(): void {
    this.#unlock();
  }
}
