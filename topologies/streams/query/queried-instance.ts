import { QueryError } from '../errors.ts';
import type { GlobalTable, StoreBuilder } from '../plan/node.ts';
import { changelogTopicOf, type SubTopology, type Topology } from '../plan/topology.ts';
import type { RowQuery, StoredRow } from './row-query.ts';

/** Rows of one partition, from one instance. */
export interface RowAnswer {
  readonly instanceId: string;
  /** True: the task runs there. False: it is being restored there, or this is what an earlier owner has left. */
  readonly running: boolean;
  /** The task runs, and the group is at rest. */
  readonly settled: boolean;
  readonly rows: readonly StoredRow[];
  /** Next offset of the changelog that the rows do not hold; null: the store has no changelog, or nothing is known here. */
  readonly position: number | null;
  /** Records of the task's inputs that it has not taken; null: not known. */
  readonly lag: number | null;
}

/** What an instance says of its tasks. */
export interface TasksHere {
  readonly instanceId: string;
  readonly generationId: number;
  readonly tasks: readonly string[];
}

/** A store of an application, and where it stands in the topology. */
export type QueriedStore = { readonly name: string; readonly topic: string } & (
  | { readonly sub: SubTopology; readonly builder: StoreBuilder; readonly logged: boolean }
  | { readonly sub: null; readonly table: GlobalTable }
);

/** What a query finds where it begins: in a worker, or in all threads of a pool. */
export interface QueriedInstance {
  readonly instanceId: string;
  /** @throws QueryError – there is no such store, or none that can be read */
  find(name: string): QueriedStore;
  /** As many as its sub-topology has tasks; a global table has one. 0 while nothing is known. */
  partitionsOf(store: QueriedStore): number | Promise<number>;
  /** By which name the task is open here; null: it is not. */
  ownerOf(taskId: string): string | null | Promise<string | null>;
  /** Null: no row of this partition is here, and never was. @throws QueryError – see `readRows` */
  read(store: QueriedStore, partition: number, query: RowQuery): RowAnswer | null | Promise<RowAnswer | null>;
  /** What rows lack that stand at `position` of the changelog. Null while nobody can say. */
  behind(store: QueriedStore, partition: number, position: number): Promise<number | null>;
}

/** What an instance answers to others, from what it has. */
export interface AnsweringInstance {
  tasks(): TasksHere | Promise<TasksHere>;
  /** @throws QueryError – there is no such store, or it cannot be read in this way */
  rows(store: string, partition: number, query: RowQuery): RowAnswer | null | Promise<RowAnswer | null>;
}

/** How far the rows reach: of several answers the one that reaches furthest is the best. */
export const reach = (answer: RowAnswer | null): number => (answer === null ? -1 : (answer.position ?? 0));

/** @throws QueryError – there is no such store, or none that can be read */
export function findStore(applicationId: string, topology: Topology, name: string): QueriedStore {
  for (const sub of topology.subTopologies) {
    const builder = sub.stores.find(({ spec }) => spec.name === name);
    if (builder === undefined) continue;
    if ('open' in builder && builder.queries !== undefined)
      return { name, sub, builder, topic: changelogTopicOf(applicationId, name), logged: builder.spec.logged };
    throw new QueryError(`${name} holds what an operator keeps for itself; nothing was read. Query a table's store.`);
  }
  const table = topology.globalTables.find(({ store }) => store.spec.name === name);
  if (table !== undefined) return { name, sub: null, table, topic: table.topic };
  throw new QueryError(
    `${applicationId} has no store ${name}; nothing was read. See topology.describe() for its stores.`,
  );
}
