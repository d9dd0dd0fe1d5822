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

/** Where one worker keeps its tasks' state; one process at a time. */
export class StateFolder {
  readonly #folder: string;

  /** @throws StateFolderInUseError */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    const lock = join(folder, 'lock');
    const [pid = '', began = ''] = existsSync(lock) ? readFileSync(lock, 'utf8').split(' ') : [];
    const owner = Number(pid);
    if (owner !== 0 && owner !== process.pid && isAlive(owner) && (began === '' || began === startOf(owner))) {
      throw new StateFolderInUseError(
        `process ${owner} keeps its state in ${folder}; nothing was started. Stop it, or give this worker another instance id.`,
      );
    }
    writeFileSync(lock, `${process.pid} ${startOf(process.pid)}`);
    const boot = join(folder, 'boot-id');
    // A mark that is not there may have been lost with the machine, and so may rows.
    if (!existsSync(boot) || readFileSync(boot, 'utf8') !== bootId()) this.#wipe();
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
