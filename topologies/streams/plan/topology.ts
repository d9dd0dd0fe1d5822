import { createHash } from 'node:crypto';
import { TopologyError } from '../errors.ts';
import { parkedRecords } from '../state/parked-records.ts';
import type { ApplicationPlan, SourcePlan, StorePlan, SubTopologyPlan } from './application-plan.ts';
import { describeMermaid } from './describe-mermaid.ts';
import { describeText } from './describe-text.ts';
import type { CoPartitioned, GlobalTable, SinkNode, SourceNode, TaskStoreBuilder, TopologyNode } from './node.ts';
import { describeTopology, type TopologyDescription } from './topology-description.ts';

/** A connected part of the graph. */
export interface SubTopology {
  readonly id: number;
  readonly nodes: readonly TopologyNode[];
  readonly sources: readonly SourceNode[];
  readonly sinks: readonly SinkNode[];
  readonly stores: readonly TaskStoreBuilder[];
  /** Where its tasks are asked to process what they have parked, without the application id; null: dead letters park nothing. */
  readonly redriveTopic: string | null;
}

/** The store of a sub-topology for what waits behind its dead letters. */
export const parkedStoreOf = (subTopology: number): string => `${subTopology}-parked`;

/** Where its tasks are asked for what they have parked, without the application id. */
export const redriveTopicOf = (subTopology: number): string => `${subTopology}-redrive`;

export const internalTopicOf = (applicationId: string, topic: string): string => `${applicationId}-${topic}`;
export const changelogTopicOf = (applicationId: string, store: string): string => `${applicationId}-${store}-changelog`;

/** The real name of a source's topic. */
export const topicOf = (applicationId: string, node: SourceNode): string =>
  node.internal === null ? node.topic : internalTopicOf(applicationId, node.topic);

interface CheckedGraph {
  readonly nodes: readonly TopologyNode[];
  readonly stores: ReadonlyMap<string, TaskStoreBuilder>;
  readonly globalTables: readonly GlobalTable[];
  readonly coPartitioned: readonly CoPartitioned[];
}

/** The graph that an author wrote, checked and cut into sub-topologies; it knows no application id and no partition yet. */
export class Topology {
  readonly subTopologies: readonly SubTopology[];
  readonly globalTables: readonly GlobalTable[];
  readonly coPartitioned: readonly CoPartitioned[];

  readonly #graph: CheckedGraph;

  constructor(graph: CheckedGraph, options: { readonly parkDeadLetters?: boolean } = {}) {
    this.#graph = graph;
    this.globalTables = graph.globalTables;
    this.coPartitioned = graph.coPartitioned;
    const globals = new Set(graph.globalTables.map((table) => table.store.spec.name));
    checkGlobalTables(graph.globalTables, graph.nodes, graph.stores);
    checkNames(graph.nodes, graph.stores, globals);
    const subTopologies = cut(graph.nodes, graph.stores, globals);
    this.subTopologies = options.parkDeadLetters ? subTopologies.map(parking) : subTopologies;
  }

  /** The same, but a dead letter parks its key. */
  parkingDeadLetters(): Topology {
    return new Topology(this.#graph, { parkDeadLetters: true });
  }

  /** Under an application id all names are those of real topics. */
  plan(applicationId: string): ApplicationPlan {
    const subTopologies = this.subTopologies.map((sub): SubTopologyPlan => {
      const sources = sub.sources.map(
        (source): SourcePlan => ({
          topic: topicOf(applicationId, source),
          internal: source.internal !== null,
          partitions: source.internal?.partitions ?? null,
          offsetReset: source.offsetReset,
        }),
      );
      if (sub.redriveTopic !== null) sources.push(redriveSource(internalTopicOf(applicationId, sub.redriveTopic)));
      const sinkTopics = sub.sinks.flatMap((sink) =>
        typeof sink.topic === 'string' ? [sink.internal ? internalTopicOf(applicationId, sink.topic) : sink.topic] : [],
      );
      const stores = sub.stores.map(
        (builder): StorePlan => ({
          spec: builder.spec,
          changelogTopic: builder.spec.logged ? changelogTopicOf(applicationId, builder.spec.name) : null,
          hasStandby: builder.spec.logged && !('openSelfKept' in builder),
          rereadTopic: sub.sources.find(({ name }) => name === builder.spec.rereads?.source)?.topic ?? null,
        }),
      );
      const own = new Set<TopologyNode>(sub.sources);
      const coPartitioned = this.coPartitioned
        .filter((group) => group.sources.some((source) => own.has(source)))
        .map((group) => ({
          node: group.node,
          topics: [...new Set(group.sources.map((source) => topicOf(applicationId, source)))],
        }));
      return { id: sub.id, sources, sinkTopics: [...new Set(sinkTopics)], stores, coPartitioned };
    });
    const globalTables = this.globalTables.map((table) => ({ topic: table.topic, store: table.store.spec }));
    const shape = JSON.stringify([subTopologies, globalTables]);
    const hash = createHash('sha256').update(shape).digest('hex').slice(0, 16);
    return { applicationId, subTopologies, globalTables, hash };
  }

  /** As data, for tools; `diffTopologies` compares two of them. */
  get description(): TopologyDescription {
    return describeTopology(this);
  }

  /** `text`: in the form of `Topology#describe` of Kafka Streams; `json`: `description`, written; `mermaid`: a flowchart. */
  describe(form: 'text' | 'json' | 'mermaid' = 'text'): string {
    if (form === 'json') return `${JSON.stringify(this.description, null, 2)}\n`;
    return form === 'text' ? describeText(this.description) : describeMermaid(this.description);
  }
}

const parking = (sub: SubTopology): SubTopology => ({
  ...sub,
  stores: [...sub.stores, parkedRecords(parkedStoreOf(sub.id))],
  redriveTopic: redriveTopicOf(sub.id),
});

const redriveSource = (topic: string): SourcePlan => ({
  topic,
  internal: true,
  redrive: true,
  partitions: null,
  offsetReset: 'earliest',
});

export function childrenOf(nodes: readonly TopologyNode[]): ReadonlyMap<TopologyNode, readonly TopologyNode[]> {
  const children = new Map<TopologyNode, TopologyNode[]>();
  for (const node of nodes) {
    for (const parent of node.parents) children.set(parent, [...(children.get(parent) ?? []), node]);
  }
  return children;
}

function checkNames(
  nodes: readonly TopologyNode[],
  stores: ReadonlyMap<string, TaskStoreBuilder>,
  globals: ReadonlySet<string>,
): void {
  const names = new Set<string>();
  const topics = new Set<string>();
  for (const node of nodes) {
    if (names.has(node.name)) {
      throw new TopologyError(
        `two nodes are called ${node.name}; nothing was built. Give one of them another name (as).`,
      );
    }
    names.add(node.name);
    if (node.kind === 'source' && node.internal === null) {
      if (topics.has(node.topic)) {
        throw new TopologyError(
          `${node.topic} has two sources; nothing was built. Read it once and use that stream twice.`,
        );
      }
      topics.add(node.topic);
    }
    if (node.kind !== 'processor') continue;
    for (const store of node.stores) {
      if (stores.has(store) || globals.has(store)) continue;
      throw new TopologyError(
        `${node.name} uses the store ${store}, which is not there; add it with builder.addStateStore`,
      );
    }
  }
}

/** A global topic is read by every instance, any other by one task: it cannot be both, nor two tables. */
function checkGlobalTables(
  tables: readonly GlobalTable[],
  nodes: readonly TopologyNode[],
  stores: ReadonlyMap<string, TaskStoreBuilder>,
): void {
  const names = new Set(stores.keys());
  const topics = new Set(
    nodes.flatMap((node) => (node.kind === 'source' && node.internal === null ? [node.topic] : [])),
  );
  for (const { topic, store } of tables) {
    if (topics.has(topic)) {
      throw new TopologyError(
        `${topic} has two sources; nothing was built. Read it once as a global table, or not as one.`,
      );
    }
    if (names.has(store.spec.name)) {
      throw new TopologyError(
        `two stores are called ${store.spec.name}; nothing was built. Give one of them another name.`,
      );
    }
    topics.add(topic);
    names.add(store.spec.name);
  }
}

/** Nodes that an edge or a store connects run in one task. Numbered in the order in which their first node was written. */
function cut(
  nodes: readonly TopologyNode[],
  stores: ReadonlyMap<string, TaskStoreBuilder>,
  globals: ReadonlySet<string>,
): readonly SubTopology[] {
  const leader = new Map<TopologyNode, TopologyNode>(nodes.map((node) => [node, node]));
  const find = (node: TopologyNode): TopologyNode => {
    const up = leader.get(node) ?? node;
    return up === node ? node : find(up);
  };
  const join = (a: TopologyNode, b: TopologyNode) => leader.set(find(b), find(a));
  const users = new Map<string, TopologyNode>();
  for (const node of nodes) {
    for (const parent of node.parents) join(parent, node);
    if (node.kind !== 'processor') continue;
    for (const store of node.stores) {
      if (globals.has(store)) continue;
      const other = users.get(store);
      if (other === undefined) users.set(store, node);
      else join(other, node);
    }
  }
  const groups = new Map<TopologyNode, TopologyNode[]>();
  for (const node of nodes) groups.set(find(node), [...(groups.get(find(node)) ?? []), node]);
  return [...groups.values()].map((members, id) => {
    const used = new Set(members.flatMap((node) => (node.kind === 'processor' ? node.stores : [])));
    return {
      id,
      nodes: members,
      sources: members.filter((node) => node.kind === 'source'),
      sinks: members.filter((node) => node.kind === 'sink'),
      stores: [...used].flatMap((name) => stores.get(name) ?? []),
      redriveTopic: null,
    };
  });
}
