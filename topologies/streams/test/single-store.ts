import type { ProducedRecord } from '../kafka/port.ts';
import type { TaskStoreBuilder } from '../plan/node.ts';
import { changelogTopicOf } from '../plan/topology.ts';
import { LastRead } from '../runtime/last-read.ts';
import { TaskStores } from '../runtime/task-stores.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import type { StateStore } from '../state/state-store.ts';

/** One store of a task that is not there, for tests of stores. */
export class SingleStore<S extends StateStore> {
  readonly #builder: TaskStoreBuilder;
  /** All that was ever committed. */
  readonly changelog: ProducedRecord[] = [];
  #stores: TaskStores;

  constructor(builder: TaskStoreBuilder) {
    this.#builder = builder;
    this.#stores = this.#opened();
  }

  get store(): S {
    return this.#stores.get(this.#builder.spec.name) as S; // what the builder opens
  }

  /** Rows of the changelog as compaction leaves them. */
  get rows(): number {
    const latest = new Map(this.changelog.map(({ key, value }) => [Buffer.from(key ?? []).toString('hex'), value]));
    return [...latest.values()].filter((value) => value !== null).length;
  }

  commit(): void {
    const records: ProducedRecord[] = [];
    const topic = changelogTopicOf('test', this.#builder.spec.name);
    this.#stores.takeDirty((changelog, { timestamp, key, value }) =>
      records.push({ topic: changelog, partition: 0, timestamp, key, value, headers: [] }),
    );
    this.#stores.committed(new Map([[`${topic}-0`, this.changelog.length]]));
    this.changelog.push(...records);
  }

  /** What `run` writes is taken back, as of a record that failed. */
  rolledBack(run: () => void): void {
    this.#stores.mark();
    run();
    this.#stores.rollBack();
  }

  /** Commits, forgets everything and restores it from the changelog. */
  restart(): void {
    this.commit();
    this.#stores = this.#opened();
    const records = this.changelog.map((record, offset) => ({ ...record, offset }));
    this.#stores.restore(this.#builder.spec.name, records, records.length);
  }

  #opened(): TaskStores {
    const [applicationId, taskId, partition] = ['test', '0_0', 0] as const;
    const storage = new MemoryStorage();
    return new TaskStores({
      applicationId,
      taskId,
      partition,
      storage,
      builders: [this.#builder],
      recordTime: () => 0,
      lastRead: new LastRead(),
    });
  }
}
