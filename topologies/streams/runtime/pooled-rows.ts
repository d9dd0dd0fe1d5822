import type { Topology } from '../plan/topology.ts';
import {
  type AnsweringInstance,
  findStore,
  type QueriedInstance,
  type QueriedStore,
  type RowAnswer,
  reach,
  type TasksHere,
} from '../query/queried-instance.ts';
import type { RowQuery } from '../query/row-query.ts';
import type { AskedThread } from './supervised-thread.ts';
import { ownBytes, type ThreadAnswers } from './thread-messages.ts';

export interface PooledRowsOptions {
  readonly applicationId: string;
  /** Of the pool. */
  readonly instanceId: string;
  readonly threads: readonly AskedThread[];
  /** How long a thread may take. */
  readonly timeoutMs: number;
}

/** Answers from the rows that the threads of a pool have of one application. A thread that does not answer counts as one that has nothing. */
export class PooledRows implements AnsweringInstance {
  readonly #options: PooledRowsOptions;

  constructor(options: PooledRowsOptions) {
    this.#options = options;
  }

  get instanceId(): string {
    return this.#options.instanceId;
  }

  /** Of the threads that are as far as any: one behind them has yet to hear what it must give up. */
  async tasks(): Promise<TasksHere> {
    const latest = await this.#latest();
    const generationId = latest[0]?.generationId ?? -1;
    return { instanceId: this.instanceId, generationId, tasks: latest.flatMap(({ tasks }) => tasks) };
  }

  /** The instance of the thread that has it. */
  async ownerOf(taskId: string): Promise<string | null> {
    return (await this.#latest()).find(({ tasks }) => tasks.includes(taskId))?.instanceId ?? null;
  }

  async #latest(): Promise<readonly TasksHere[]> {
    const { applicationId } = this.#options;
    const answers = await Promise.all(this.#askAll('tasks', [applicationId]));
    const all = answers.filter((answer) => answer !== undefined);
    const generationId = Math.max(...all.map((one) => one.generationId));
    return all.filter((one) => one.generationId === generationId);
  }

  /** First whoever runs the task; if nobody does, everybody: to look at what an earlier owner has left costs more. */
  async rows(store: string, partition: number, query: RowQuery): Promise<RowAnswer | null> {
    const asked = [this.#options.applicationId, store, partition, ofOwnBytes(query)] as const;
    const running = this.#askAll('rows', [...asked, true]);
    const settled = await firstOf(running, (answer) => answer?.settled === true);
    if (settled !== null) return settled;
    const here = await Promise.all(running);
    const unsettled = here.find((answer) => answer?.running);
    if (unsettled) return unsettled;
    const idle = this.#options.threads.filter((_, at) => here[at] === null);
    return furthest(await Promise.all(this.#askAll('rows', [...asked, false], idle)));
  }

  /** Of a global table, of which each thread has a copy. */
  async globalRows(store: string, query: RowQuery): Promise<RowAnswer | null> {
    const { applicationId, threads } = this.#options;
    const unsettled: (RowAnswer | null)[] = [];
    for (const thread of threads) {
      const [answer] = await Promise.all(
        this.#askAll('rows', [applicationId, store, 0, ofOwnBytes(query), false], [thread]),
      );
      if (answer?.settled) return answer;
      unsettled.push(answer ?? null);
    }
    return furthest(unsettled);
  }

  /** 0 while no thread knows. */
  async partitionsOf(store: string): Promise<number> {
    return (await firstOf(this.#askAll('partitions', [this.#options.applicationId, store]), (count) => count > 0)) ?? 0;
  }

  behind(store: string, partition: number, position: number): Promise<number | null> {
    const asked = this.#askAll('behind', [this.#options.applicationId, store, partition, position]);
    return firstOf(asked, (lag) => lag !== null);
  }

  #askAll<W extends keyof ThreadAnswers>(
    what: W,
    about: Parameters<ThreadAnswers[W]>,
    threads = this.#options.threads,
  ) {
    return threads.map((thread) => thread.ask(what, about, this.#options.timeoutMs));
  }
}

/** All threads of a pool as one instance that a query begins at. */
export class PooledInstance implements QueriedInstance {
  readonly #applicationId: string;
  readonly #topology: Topology;
  readonly #rows: PooledRows;
  readonly #partitions = new Map<string, number>();

  constructor(applicationId: string, topology: Topology, rows: PooledRows) {
    this.#applicationId = applicationId;
    this.#topology = topology;
    this.#rows = rows;
  }

  get instanceId(): string {
    return this.#rows.instanceId;
  }

  find(name: string): QueriedStore {
    return findStore(this.#applicationId, this.#topology, name);
  }

  async partitionsOf({ name, sub }: QueriedStore): Promise<number> {
    if (sub === null) return 1;
    const count = await this.#rows.partitionsOf(name);
    if (count > 0) this.#partitions.set(name, count);
    return this.#partitions.get(name) ?? 0;
  }

  ownerOf(taskId: string): Promise<string | null> {
    return this.#rows.ownerOf(taskId);
  }

  read({ name, sub }: QueriedStore, partition: number, query: RowQuery): Promise<RowAnswer | null> {
    return sub === null ? this.#rows.globalRows(name, query) : this.#rows.rows(name, partition, query);
  }

  behind({ name, sub }: QueriedStore, partition: number, position: number): Promise<number | null> {
    return sub === null ? Promise.resolve(null) : this.#rows.behind(name, partition, position);
  }
}

const furthest = (answers: readonly (RowAnswer | null | undefined)[]): RowAnswer | null =>
  answers.reduce<RowAnswer | null>((most, one) => (one && reach(one) > reach(most) ? one : most), null);

/** The first answer that is good; null: none is. A thread that is busy keeps nobody waiting for the others. */
function firstOf<T>(asked: readonly Promise<T | undefined>[], isGood: (answer: T) => boolean): Promise<T | null> {
  return new Promise((resolve, reject) => {
    for (const answer of asked) answer.then((one) => one !== undefined && isGood(one) && resolve(one), reject);
    Promise.all(asked).then(() => resolve(null), reject);
  });
}

function ofOwnBytes(query: RowQuery): RowQuery {
  if (query.type === 'range')
    return { ...query, from: query.from && ownBytes(query.from), to: query.to && ownBytes(query.to) };
  if (query.type === 'fetch') return { ...query, key: query.key && ownBytes(query.key) };
  return { ...query, key: ownBytes(query.key) };
}
