import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
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

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/** Where one worker keeps its tasks' state; one process at a time. */
export class StateFolder {
  readonly #folder: string;

  /** @throws StateFolderInUseError */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    const lock = join(folder, 'lock');
    const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
    if (owner !== 0 && owner !== process.pid && isAlive(owner)) {
      throw new StateFolderInUseError(
        `process ${owner} keeps its state in ${folder}; nothing was started. Stop it, or give this worker another instance id.`,
      );
    }
    writeFileSync(lock, String(process.pid));
    const boot = join(folder, 'boot-id');
    if (existsSync(boot) && readFileSync(boot, 'utf8') !== bootId()) this.#wipe();
    writeFileSync(boot, bootId());
  }

  #wipe(): void {
    rmSync(join(this.#folder, 'tasks'), { recursive: true, force: true });
  }

  storage(applicationId: string, taskId: string): TaskStorage {
    return new LmdbStorage(join(this.#folder, 'tasks', applicationId, taskId));
  }

  close(): void {
    rmSync(join(this.#folder, 'lock'), { force: true });
  }
}
