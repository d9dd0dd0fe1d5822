import type { StoreSpec } from '../state/state-store.ts';
import type { GlobalTable, SourceNode, TopologyNode } from './node.ts';
import { childrenOf, type Topology } from './topology.ts';

/**
 * A topology as data: what `describe('json')` writes and `diffTopologies` reads, so the one that runs can be kept beside its release and be
 * compared with the next. Names of internal topics are without the application id in front.
 */
export interface TopologyDescription {
  readonly subTopologies: readonly SubTopologyDescription[];
  readonly globalStores: readonly GlobalStoreDescription[];
}

/** Runs as one task per partition, `<id>_<partition>`. */
export interface SubTopologyDescription {
  readonly id: number;
  readonly nodes: readonly NodeDescription[];
  readonly stores: readonly StoreDescription[];
  /** Topics that a join reads side by side, so that they need equal partition counts. */
  readonly coPartitioned: readonly { readonly node: string; readonly topics: readonly string[] }[];
}

export type NodeDescription =
  | {
      readonly kind: 'source';
      readonly name: string;
      readonly topic: string;
      readonly internal: boolean;
      /** Only of internal topics: the count that the author fixed. */
      readonly partitions: number | null;
      readonly next: readonly string[];
    }
  | {
      readonly kind: 'processor';
      readonly name: string;
      readonly stores: readonly string[];
      /** Global tables that it looks up. */
      readonly globalStores: readonly string[];
      readonly next: readonly string[];
      readonly previous: readonly string[];
    }
  | {
      readonly kind: 'sink';
      readonly name: string;
      /** Null: chosen for each record. */
      readonly topic: string | null;
      readonly internal: boolean;
      readonly previous: readonly string[];
    };

export interface StoreDescription {
  readonly name: string;
  readonly kind: StoreSpec['kind'];
  readonly persistent: boolean;
  /** Null: not logged. */
  readonly changelog: string | null;
  readonly retentionMs: number | null;
}

export interface GlobalStoreDescription {
  readonly id: number;
  readonly source: string;
  readonly topic: string;
  readonly processor: string;
  readonly store: string;
}

export function describeTopology(topology: Topology): TopologyDescription {
  const globals = new Set(topology.globalTables.map((table) => table.store.spec.name));
  const subTopologies = topology.subTopologies.map((sub): SubTopologyDescription => {
    const own = new Set<TopologyNode>(sub.sources);
    return {
      id: sub.id,
      nodes: nodesOf(sub.nodes, globals),
      stores: sub.stores.map(({ spec }) => storeOf(spec)),
      coPartitioned: topology.coPartitioned
        .filter(({ sources }) => sources.some((source) => own.has(source)))
        .map(({ node, sources }) => ({ node, topics: [...new Set(sources.map((source) => source.topic))] })),
    };
  });
  const globalOf = (table: GlobalTable, index: number): GlobalStoreDescription => ({
    id: topology.subTopologies.length + index,
    source: table.sourceName,
    topic: table.topic,
    processor: table.processorName,
    store: table.store.spec.name,
  });
  return { subTopologies, globalStores: topology.globalTables.map(globalOf) };
}

const storeOf = (spec: StoreSpec): StoreDescription => ({
  name: spec.name,
  kind: spec.kind,
  persistent: spec.persistent,
  changelog: spec.logged ? `${spec.name}-changelog` : null,
  retentionMs: spec.retentionMs,
});

/** In the original's order: nodes with most below them first, then by name (`InternalTopologyBuilder.NODE_COMPARATOR`). */
function nodesOf(nodes: readonly TopologyNode[], globals: ReadonlySet<string>): readonly NodeDescription[] {
  const children = childrenOf(nodes);
  const sizes = new Map<TopologyNode, number>();
  for (const node of [...nodes].reverse()) {
    sizes.set(node, 1 + (children.get(node) ?? []).reduce((sum, child) => sum + (sizes.get(child) ?? 0), 0));
  }
  const ordered = (some: readonly TopologyNode[]): readonly TopologyNode[] =>
    [...some].sort((a, b) => (sizes.get(b) ?? 0) - (sizes.get(a) ?? 0) || (a.name < b.name ? -1 : 1));
  const names = (some: readonly TopologyNode[]) => ordered(some).map((node) => node.name);
  return ordered(nodes).map((node): NodeDescription => {
    const { name } = node;
    const [next, previous] = [names(children.get(node) ?? []), node.parents.map((parent) => parent.name)];
    if (node.kind === 'source') return { kind: 'source', name, ...inputOf(node), next };
    if (node.kind === 'sink') {
      const topic = typeof node.topic === 'string' ? node.topic : null;
      return { kind: 'sink', name, topic, internal: node.internal, previous };
    }
    const used = [...new Set(node.stores)].sort();
    const stores = used.filter((store) => !globals.has(store));
    return {
      kind: 'processor',
      name,
      stores,
      globalStores: used.filter((store) => globals.has(store)),
      next,
      previous,
    };
  });
}

const inputOf = ({ topic, internal }: SourceNode) => ({
  topic,
  internal: internal !== null,
  partitions: internal?.partitions ?? null,
});
