import { QueryError } from '../errors.ts';
import { partitionForKey } from '../kafka/partitioner.ts';
import { taskIdOf } from '../plan/application-plan.ts';
import { changelogTopicOf, topicOf } from '../plan/topology.ts';
import type { Serde } from '../serde.ts';
import type { Peers } from './peers.ts';
import { type QueriedInstance, type QueriedStore, type RowAnswer, reach } from './queried-instance.ts';
import { QueryableStore } from './queryable-store.ts';
import type { RowQuery } from './row-query.ts';
import type { ChangeReader, StoreChanges } from './store-changes.ts';

export interface StoreQueryOptions<K> {
  /** Chooses the partition of a key, where its records were not sent by the bytes of the key. */
  readonly partitioner?: (key: K, partitions: number) => number;
}

/** Where a key's rows are. */
export interface KeyOwner {
  readonly partition: number;
  /** Null: nobody has the task at this moment. Of a pool it is the thread, `<instanceId>-<n>`. */
  readonly instanceId: string | null;
  /** Of its query endpoint; null: this instance, or not known. */
  readonly host: string | null;
  readonly port: number | null;
  /** This instance has it. */
  readonly local: boolean;
}

/** The best that could be found of one partition. */
export interface PartitionAnswer {
  readonly rows: RowAnswer['rows'];
  readonly instanceId: string | null;
  readonly position: number | null;
  readonly stale: boolean;
  readonly lag: number | null;
}

/** Queries of one application: here, or asked of the instance that has the task. */
export class ApplicationQueries {
  readonly #applicationId: string;
  readonly #local: QueriedInstance;
  readonly #peers: Peers | null;
  readonly #changes: Pick<StoreChanges, 'of'>;

  constructor(applicationId: string, local: QueriedInstance, peers: Peers | null, changes: Pick<StoreChanges, 'of'>) {
    this.#applicationId = applicationId;
    this.#local = local;
    this.#peers = peers;
    this.#changes = changes;
  }

  /**
   * A store of the topology, or a global table, as its author has typed it.
   * @throws QueryError – there is no such store, or it is none that can be read
   */
  store<K, V>(name: string, options: StoreQueryOptions<K> = {}): QueryableStore<K, V> {
    const store = this.#local.find(name);
    const serdes = store.sub === null ? store.table : store.builder.queries;
    if (serdes === undefined) throw new TypeError(`${name} was found without serdes`); // `find` lets none through
    const source = store.sub?.sources[0];
    return new QueryableStore<K, V>({
      name,
      topic: store.topic,
      sourceTopic: source === undefined ? store.topic : topicOf(this.#applicationId, source),
      changelog: store.sub !== null && store.logged ? changelogTopicOf(this.#applicationId, name) : null,
      // The caller names the types that the topology was written with.
      keySerde: serdes.keySerde as never,
      valueSerde: serdes.valueSerde as never,
      partitions: () => this.#local.partitionsOf(store),
      partitionOf: (key, bytes, count) => options.partitioner?.(key, count) ?? partitionForKey(bytes, count),
      ask: (partition, query) => this.#ask(store, partition, query),
      owner: (partition) => this.#owner(store, partition),
      changes: (how) => this.#changes.of<K, V>(changeReaderOf(store), how),
    });
  }

  async #owner({ sub }: QueriedStore, partition: number): Promise<KeyOwner> {
    const taskId = sub && taskIdOf(sub.id, partition);
    const here = taskId === null ? this.#local.instanceId : await this.#local.ownerOf(taskId);
    if (taskId === null || here !== null) return { partition, instanceId: here, host: null, port: null, local: true };
    await this.#peers?.refresh();
    const owner = this.#peers?.ownerOf(taskId);
    const { instanceId = null, host = null, port = null } = owner?.address ?? {};
    return { partition, instanceId, host, port, local: false };
  }

  /** The owner's rows; while it has none, those that reach furthest, with what they lack. Rejects only with a QueryError. */
  async #ask(store: QueriedStore, partition: number, query: RowQuery): Promise<PartitionAnswer> {
    const here = await this.#local.read(store, partition, query);
    if (here?.settled) return fresh(here);
    const owned = here?.running ? null : await this.#askOwner(store, partition, query);
    if (owned?.settled) return fresh(owned);
    const running = [here, owned].find((answer) => answer?.running);
    // A running task has what was committed last, though others may have it by now. One that is being restored may have less than is left elsewhere.
    const others = running ? [] : ((await this.#peers?.rowsOfAll(store.name, partition, query)) ?? []);
    const all = [here, owned, ...others].filter((answer) => answer !== null);
    const settled = all.find((answer) => answer.settled);
    if (settled !== undefined) return fresh(settled);
    const best = running ?? all.reduce<RowAnswer | null>((most, one) => (reach(one) > reach(most) ? one : most), null);
    return {
      rows: best?.rows ?? [],
      instanceId: best?.instanceId ?? null,
      position: best?.position ?? null,
      stale: true,
      lag: best?.lag ?? (await this.#local.behind(store, partition, best?.position ?? 0)),
    };
  }

  async #askOwner({ sub, name }: QueriedStore, partition: number, query: RowQuery): Promise<RowAnswer | null> {
    const peers = this.#peers;
    if (peers === null || sub === null) return null;
    const taskId = taskIdOf(sub.id, partition);
    const known = peers.ownerOf(taskId);
    const answer = known === null ? null : await peers.rows(known.address, name, partition, query);
    if (answer?.running) return answer;
    await peers.refresh(); // it has moved, or was never known
    const now = peers.ownerOf(taskId);
    return now === null ? answer : await peers.rows(now.address, name, partition, query);
  }
}

/** @throws QueryError – a global table belongs to no task, and no transaction of ours writes it */
function changeReaderOf<K, V>(store: QueriedStore): ChangeReader<K, V> {
  const queries = store.sub === null ? undefined : store.builder.queries;
  if (store.sub === null || queries === undefined)
    throw new QueryError(
      `${store.name} is a global table: its changes are those of its topic ${store.topic}. Cure: read that.`,
    );
  const { timed, windowSizeMs, keySerde, valueSerde } = queries;
  const { spec } = store.builder;
  const serdes = { keySerde: keySerde as Serde<K>, valueSerde: valueSerde as Serde<V> }; // the caller names the topology's types
  return { spec, topic: store.topic, timed, windowSizeMs, ...serdes };
}

const fresh = ({ rows, instanceId, position, lag }: RowAnswer): PartitionAnswer => ({
  rows,
  instanceId,
  position,
  stale: false,
  lag,
});
