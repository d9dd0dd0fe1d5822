import type { KafkaPort } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { type ApplicationPlan, taskIdOf } from '../plan/application-plan.ts';
import type { GlobalTable, StoreBuilder } from '../plan/node.ts';
import { changelogTopicOf, type Topology } from '../plan/topology.ts';
import type { LocalState } from '../runtime/local-state.ts';
import { readOnlyHost } from '../state/key-value-store.ts';
import type { TaskStorage } from '../state/state-store.ts';
import {
  type AnsweringInstance,
  findStore,
  type QueriedInstance,
  type QueriedStore,
  type RowAnswer,
  type TasksHere,
} from './queried-instance.ts';
import { type RowQuery, readRows } from './row-query.ts';

export interface LocalRowsOptions {
  readonly applicationId: string;
  readonly instanceId: string;
  readonly topology: Topology;
  readonly kafka: Pick<KafkaPort, 'endOffsets' | 'committedOffsets'>;
  readonly local: () => LocalState;
}

/** Answers from the committed rows that this instance has: of its tasks, running or being restored, or left by an earlier owner. */
export class LocalRows implements QueriedInstance, AnsweringInstance {
  readonly #options: LocalRowsOptions;
  readonly #plan: ApplicationPlan;

  constructor(options: LocalRowsOptions) {
    this.#options = options;
    this.#plan = options.topology.plan(options.applicationId);
  }

  get instanceId(): string {
    return this.#options.instanceId;
  }

  get state(): LocalState {
    return this.#options.local();
  }

  tasks(): TasksHere {
    const { generationId, taskIds } = this.state;
    return { instanceId: this.instanceId, generationId, tasks: taskIds };
  }

  ownerOf(taskId: string): string | null {
    return this.state.task(taskId) === null ? null : this.instanceId;
  }

  find(name: string): QueriedStore {
    return findStore(this.#options.applicationId, this.#options.topology, name);
  }

  rows(store: string, partition: number, query: RowQuery): RowAnswer | null {
    return this.read(this.find(store), partition, query);
  }

  partitionsOf({ sub }: QueriedStore): number {
    if (sub === null) return 1;
    const plan = this.#plan.subTopologies.find(({ id }) => id === sub.id);
    return Math.max(0, ...(plan?.sources ?? []).map(({ topic }) => this.state.partitionsOf(topic)));
  }

  read(store: QueriedStore, partition: number, query: RowQuery): RowAnswer | null {
    if (store.sub === null) return this.#global(store.table, query);
    const { state } = this;
    const taskId = taskIdOf(store.sub.id, partition);
    const task = state.task(taskId);
    const running = task?.running ?? false;
    const answer = state.look(taskId, (storage) => this.#answer(store.builder, storage, query));
    return (
      answer && {
        ...answer,
        running,
        settled: running && (state.state === 'RUNNING' || state.state === 'PAUSED'),
        lag: task?.lag ?? null,
      }
    );
  }

  #answer({ spec, queries }: StoreBuilder, storage: TaskStorage, query: RowQuery) {
    const topic = changelogTopicOf(this.#options.applicationId, spec.name);
    const opened = queries?.openBytes(readOnlyHost(storage, spec, topic));
    const rows = opened === undefined ? [] : readRows(spec, opened, query, queries?.windowSizeMs);
    const position = spec.logged ? Number(storage.metadata(`changelog:${spec.name}`) ?? 0) : null;
    return { instanceId: this.#options.instanceId, rows, position };
  }

  #global({ store: { spec } }: GlobalTable, query: RowQuery): RowAnswer | null {
    const { globals, state } = this.state;
    const rows = globals?.committedRows(spec.name);
    if (rows === undefined) return null;
    const settled = state !== 'CREATED' && state !== 'ERROR' && state !== 'CLOSED'; // it follows its topic in all of them
    const asTimed = { ...spec, kind: 'timestamped-key-value' } as const;
    return {
      instanceId: this.#options.instanceId,
      running: true,
      settled,
      rows: readRows(asTimed, rows, query),
      position: null,
      lag: null,
    };
  }

  /**
   * Counts the records of the changelog from `position` on, and those of the inputs that nobody has processed.
   */
  async behind(store: QueriedStore, partition: number, position: number): Promise<number | null> {
    const { sub } = store;
    if (sub === null) return null;
    const { kafka, applicationId } = this.#options;
    const sources = this.#plan.subTopologies.find(({ id }) => id === sub.id)?.sources ?? [];
    const inputs = sources
      .filter(({ topic }) => partition < this.state.partitionsOf(topic))
      .map(({ topic }) => ({ topic, partition }));
    const changelogs = store.logged ? [{ topic: store.topic, partition }] : [];
    try {
      const [ends, committed] = await Promise.all([
        kafka.endOffsets([...changelogs, ...inputs]),
        kafka.committedOffsets(applicationId, inputs, { requireStable: false }),
      ]);
      const from = new Map(committed.map((one) => [partitionName(one), one.offset]));
      for (const changelog of changelogs) from.set(partitionName(changelog), position);
      return [...ends].reduce((sum, [name, end]) => sum + Math.max(0, end - (from.get(name) ?? 0)), 0);
    } catch {
      return null; // brokers that are away make no query fail: the lag is unknown
    }
  }
}
