import { type Log, messageOf } from './log.ts';
import type { TaskStorages } from './task-storages.ts';

/** How often it looks, at most. */
const longestIntervalMs = 60_000;

export interface StateCleanerOptions {
  readonly applicationId: string;
  readonly storages: Pick<TaskStorages, 'removeUnused'>;
  /** Infinity: nothing is ever removed. */
  readonly delayMs: number;
  readonly log: Log;
}

/**
 * Removes from the disk what belongs to tasks that have not been here for a while, neither running nor as a copy (`state.cleanup.delay.ms` of Kafka
 * Streams). Only between `start` and `stop`: while the group moves, what is here may have been counted on.
 */
export class StateCleaner {
  readonly #options: StateCleanerOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StateCleanerOptions) {
    this.#options = options;
  }

  /** The tasks that this instance is to have are open. */
  start(): void {
    this.stop();
    this.#clean();
    this.#timer = setInterval(() => this.#clean(), Math.min(this.#options.delayMs, longestIntervalMs)).unref();
  }

  #clean(): void {
    const { applicationId, storages, delayMs, log } = this.#options;
    try {
      const tasks = storages.removeUnused(performance.now(), delayMs);
      if (tasks.length === 0) return;
      const text = `${applicationId}: the state of tasks ${tasks.join(', ')} was removed from the disk; they have not been here for ${delayMs} ms`;
      log('info', 'state-removed', text, { applicationId, tasks });
    } catch (error) {
      const text = `${applicationId}: state that is not needed any more stays on the disk, and is tried again: ${messageOf(error)}`;
      log('warn', 'state-removal-failed', text, { error });
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
