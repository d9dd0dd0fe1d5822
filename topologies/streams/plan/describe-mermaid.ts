import type { SubTopologyDescription, TopologyDescription } from './topology-description.ts';

/**
 * A flowchart for a page or a README: sub-topologies as boxes, topics and stores as what they are, edges between sub-topologies over the
 * topics that join them. A topic is drawn once, whoever reads and writes it.
 */
export function describeMermaid({ subTopologies, globalStores }: TopologyDescription): string {
  const ids = new Map<string, string>();
  /** Mermaid's own names: what authors call things may hold what it takes for syntax. */
  const id = (kind: 'node' | 'topic' | 'store', name: string): string => {
    const known = ids.get(`${kind} ${name}`) ?? `${kind[0]}${ids.size}`;
    ids.set(`${kind} ${name}`, known);
    return known;
  };
  const box = (sub: SubTopologyDescription): readonly string[] => [
    `  subgraph sub${sub.id}["Sub-topology ${sub.id}"]`,
    ...sub.nodes.map(({ name }) => `    ${id('node', name)}["${escaped(name)}"]`),
    ...sub.stores.map(({ name }) => `    ${id('store', name)}[("${escaped(name)}")]`),
    '  end',
  ];
  const boxes = subTopologies.flatMap(box);
  const topics = new Set([
    ...subTopologies.flatMap((sub) =>
      sub.nodes.flatMap((node) => (node.kind === 'processor' ? [] : (node.topic ?? []))),
    ),
    ...globalStores.map(({ topic }) => topic),
  ]);
  const edges = subTopologies.flatMap((sub) =>
    sub.nodes.flatMap((node): readonly string[] => {
      const self = id('node', node.name);
      if (node.kind === 'sink') {
        return node.topic === null ? [] : [`  ${self} --> ${id('topic', node.topic)}`];
      }
      const next = node.next.map((name) => `  ${self} --> ${id('node', name)}`);
      if (node.kind === 'source') return [`  ${id('topic', node.topic)} --> ${self}`, ...next];
      const stores = [...node.stores, ...node.globalStores].map((name) => `  ${self} -.- ${id('store', name)}`);
      return [...next, ...stores];
    }),
  );
  return [
    'flowchart TD',
    ...boxes,
    ...globalStores.map(({ store }) => `  ${id('store', store)}[("${escaped(store)} (global)")]`),
    ...[...topics].map((topic) => `  ${id('topic', topic)}>"${escaped(topic)}"]`),
    ...globalStores.map(({ topic, store }) => `  ${id('topic', topic)} --> ${id('store', store)}`),
    ...edges,
    '',
  ].join('\n');
}

const escaped = (name: string): string => name.replaceAll('"', '#quot;');
