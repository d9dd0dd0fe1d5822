import type { StoreSpec } from '../state/state-store.ts';

/** A topology under an application id: all names are those of real topics. What a worker needs to know to run it. */
export interface ApplicationPlan {
  readonly applicationId: string;
  readonly subTopologies: readonly SubTopologyPlan[];
  readonly globalTables: readonly GlobalTablePlan[];
  /** Equal for equal topologies; members of one group must agree on it. */
  readonly hash: string;
}

/** A connected part of the graph; it runs as one task per partition, `<id>_<partition>`. */
export interface SubTopologyPlan {
  readonly id: number;
  readonly sources: readonly SourcePlan[];
  /** Topics that its sinks name. A sink with a topic extractor may write to others. */
  readonly sinkTopics: readonly string[];
  readonly stores: readonly StorePlan[];
  /** Sets of source topics that must have equal partition counts. */
  readonly coPartitioned: readonly CoPartitionGroup[];
}

export interface CoPartitionGroup {
  /** The node that demands it, for the error message. */
  readonly node: string;
  readonly topics: readonly string[];
}

export interface SourcePlan {
  readonly topic: string;
  /** Written by this application alone: the worker creates it (`cleanup.policy=delete`, `retention.ms=-1`) and purges it after commits. */
  readonly internal: boolean;
  /** Asks the sub-topology's tasks for what they have parked: written by operators, as wide as the sub-topology, outside of its time. */
  readonly redrive?: true;
  /** Only of internal topics: a count that the author fixed; null: that of the widest topic upstream or beside it in a join. */
  readonly partitions: number | null;
  /** Where to begin when the group has no committed offset. */
  readonly offsetReset: 'earliest' | 'latest';
}

export interface StorePlan {
  readonly spec: StoreSpec;
  /** Null: not logged. Partition n of it belongs to the task of partition n. */
  readonly changelogTopic: string | null;
  /** Others can keep a copy of it up: it has a changelog, and its rows lie in the storage of its task, not in the task. */
  readonly hasStandby: boolean;
  /** Input that it is read again from, in place of a changelog. */
  readonly rereadTopic: string | null;
}

/** Read whole by every instance, all partitions, before any task starts; kept up to date beside the tasks. */
export interface GlobalTablePlan {
  readonly topic: string;
  readonly store: StoreSpec;
}

export const taskIdOf = (subTopology: number, partition: number): string => `${subTopology}_${partition}`;
