import type { TaskStorage } from '../state/state-store.ts';
import type { ApplicationState } from './application-runner.ts';
import type { GlobalTables } from './global-tables.ts';

/** A task that is open on this instance. */
export interface LocalTask {
  /** False: it is being restored. */
  readonly running: boolean;
  /** Records of its inputs that it has not taken; null: not known yet. */
  readonly lag: number | null;
}

/** What others may see of an application on this instance. Each member tells of the moment in which it is asked. */
export interface LocalState {
  readonly state: ApplicationState;
  /** Of the group; -1 before the first assignment. */
  readonly generationId: number;
  /** Records of inputs that their tasks have not taken, as far as they are known. */
  readonly lags: readonly { readonly topic: string; readonly partition: number; readonly lag: number }[];
  /** Records that wait behind dead letters in the tasks that are here, of each sub-topology that parks. */
  readonly parked: readonly { readonly subTopology: number; readonly records: number }[];
  readonly taskIds: readonly string[];
  readonly globals: GlobalTables | null;
  task(id: string): LocalTask | null;
  /**
   * Looks at the committed rows that are here of a task: of one that runs or is being restored, of a standby, or what an earlier owner has left on
   * the disk. @returns null: there is nothing
   */
  look<T>(taskId: string, read: (storage: TaskStorage) => T): T | null;
  /** 0 where there is no such topic, or nothing is known yet. */
  partitionsOf(topic: string): number;
}
