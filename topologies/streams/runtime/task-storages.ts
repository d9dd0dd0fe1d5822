import type { ApplicationPlan, StorePlan } from '../plan/application-plan.ts';
import type { StateFolder } from '../state/state-folder.ts';
import type { TaskStorage } from '../state/state-store.ts';
import { changelogPosition } from './task-stores.ts';

export type TaskFolders = Pick<StateFolder, 'storage' | 'taskIds' | 'removeTask'>;

/**
 * What this instance keeps of the tasks of one application. A storage is opened once and passes from a standby to the task and back as it is,
 * also with what it holds in memory only.
 */
export class TaskStorages {
  readonly #applicationId: string;
  readonly #plan: ApplicationPlan;
  readonly #state: TaskFolders;
  readonly #open = new Map<string, TaskStorage>();
  /** Of what lies on the disk and is not open: nobody changes it. */
  readonly #dormant = new Map<string, number>();
  /** When `removeUnused` first found what lies on the disk and is not open (performance.now()). */
  readonly #unusedSince = new Map<string, number>();

  constructor(applicationId: string, plan: ApplicationPlan, state: TaskFolders) {
    this.#applicationId = applicationId;
    this.#plan = plan;
    this.#state = state;
  }

  /** Looks at what earlier runs have left on the disk. */
  async look(): Promise<void> {
    for (const taskId of this.#state.taskIds(this.#applicationId)) {
      if (this.#open.has(taskId) || this.#copied(taskId).length === 0) continue;
      this.open(taskId);
      await this.#close(taskId);
    }
  }

  open(taskId: string): TaskStorage {
    const there = this.#open.get(taskId);
    if (there !== undefined) return there;
    const storage = this.#state.storage(this.#applicationId, taskId);
    this.#open.set(taskId, storage);
    this.#dormant.delete(taskId);
    this.#unusedSince.delete(taskId);
    return storage;
  }

  /** Null: it is not open. */
  get(taskId: string): TaskStorage | null {
    return this.#open.get(taskId) ?? null;
  }

  /**
   * How far the state of each task that is here has come: the sum of the positions in the changelogs of what can be
   * copied. Tasks without any are not among them.
   */
  positions(): ReadonlyMap<string, number> {
    const positions = new Map(this.#dormant);
    for (const [taskId, storage] of this.#open) {
      const copied = this.#copied(taskId);
      if (copied.length > 0) positions.set(taskId, sumOf(storage, copied));
    }
    return positions;
  }

  #copied(taskId: string): readonly StorePlan[] {
    const subId = Number(taskId.slice(0, taskId.indexOf('_')));
    const sub = this.#plan.subTopologies.find((one) => one.id === subId);
    return sub === undefined ? [] : sub.stores.filter((store) => store.hasStandby);
  }

  /** Closes the storages of all tasks but these. */
  async keepOnly(taskIds: ReadonlySet<string>): Promise<void> {
    for (const taskId of [...this.#open.keys()]) if (!taskIds.has(taskId)) await this.#close(taskId);
  }

  /**
   * Removes from the disk what has not been open since a call of this that lies `delayMs` or more back; also of sub-topologies that there are no more.
   * @returns the tasks that it was of
   * @throws what the disk says; the others are removed with the next call
   */
  removeUnused(nowMs: number, delayMs: number): readonly string[] {
    const removed: string[] = [];
    for (const taskId of this.#state.taskIds(this.#applicationId)) {
      if (this.#open.has(taskId)) continue;
      const since = this.#unusedSince.get(taskId);
      if (since === undefined) this.#unusedSince.set(taskId, nowMs);
      if (since === undefined || nowMs - since < delayMs) continue;
      this.#state.removeTask(this.#applicationId, taskId);
      this.#dormant.delete(taskId);
      this.#unusedSince.delete(taskId);
      removed.push(taskId);
    }
    return removed;
  }

  closeAll(): Promise<void> {
    return this.keepOnly(new Set());
  }

  async #close(taskId: string): Promise<void> {
    const storage = this.#open.get(taskId);
    if (storage === undefined) return;
    this.#open.delete(taskId);
    // What is in memory only goes with the storage.
    const kept = this.#copied(taskId).filter((store) => store.spec.persistent);
    if (kept.length > 0) this.#dormant.set(taskId, sumOf(storage, kept));
    await storage.close();
  }
}

const sumOf = (storage: TaskStorage, stores: readonly StorePlan[]): number =>
  stores.reduce((sum, { spec }) => sum + changelogPosition(storage, spec.name), 0);
