import type { NodeDescription, TopologyDescription } from './topology-description.ts';

/**
 * In the form of the original's `TopologyDescription#toString`, down to its blanks: the first sub-topology is indented by three, the
 * others by two. Numbers of global stores come last: a sub-topology has the number that its tasks have.
 */
export function describeText({ subTopologies, globalStores }: TopologyDescription): string {
  const parts = [
    ...subTopologies.map(({ id, nodes }) => `Sub-topology: ${id}\n${nodes.map(nodeText).join('')}\n`),
    ...globalStores.map(({ id, source, topic, processor, store }) => {
      const nodes: readonly NodeDescription[] = [
        { kind: 'source', name: source, topic, internal: false, partitions: null, next: [processor] },
        { kind: 'processor', name: processor, stores: [store], globalStores: [], next: [], previous: [source] },
      ];
      return `Sub-topology: ${id} for global store (will not generate tasks)\n${nodes.map(nodeText).join('')}`;
    }),
  ];
  return `Topologies:\n ${parts.map((part) => `  ${part}`).join('')}`;
}

function nodeText(node: NodeDescription): string {
  const names = (some: readonly string[]) => (some.length === 0 ? 'none' : some.join(', '));
  switch (node.kind) {
    case 'source':
      return `    Source: ${node.name} (topics: [${node.topic}])\n      --> ${names(node.next)}\n`;
    case 'processor':
      return `    Processor: ${node.name} (stores: [${node.stores.join(', ')}])\n      --> ${names(node.next)}\n      <-- ${names(node.previous)}\n`;
    case 'sink': {
      const target = node.topic === null ? 'extractor class: function' : `topic: ${node.topic}`;
      return `    Sink: ${node.name} (${target})\n      <-- ${names(node.previous)}\n`;
    }
  }
}
