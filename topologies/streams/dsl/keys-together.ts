import type { TopologyNode } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import type { Graph, Serdes2 } from './graph.ts';
import { repartitioned } from './repartition.ts';

/** Where in the graph a stream stands. */
export interface StreamPlace<K, V> {
  readonly graph: Graph;
  readonly node: TopologyNode;
  readonly serdes: Serdes2<K, V>;
  /** The key may have changed since the records were partitioned: what needs equal keys together must repartition first. */
  readonly keyChanged: boolean;
}

interface Wanted<K, V> {
  readonly as: string | undefined;
  /** The topic's name where the author gave none and generated names are allowed. */
  readonly generated: string;
  readonly serdes: Serdes2<K, V>;
  /** Null: as many as come. */
  readonly partitions: number | null;
}

interface Known {
  readonly node: TopologyNode;
  readonly key: Serde<unknown> | null;
  readonly value: Serde<unknown> | null;
  readonly partitions: number | null;
}

/** Brings a stream's records of equal keys together, for joins and tables. */
export class KeysTogether<K, V> {
  readonly place: StreamPlace<K, V>;
  /** What has been sent to the partitions of its keys: the next reader takes the same topic. */
  readonly #known: Known[] = [];

  constructor(place: StreamPlace<K, V>) {
    this.place = place;
  }

  /** @returns the stream's own node, or one behind a topic if the key has changed */
  node({ as, generated, serdes, partitions }: Wanted<K, V>): TopologyNode {
    const { graph, node, keyChanged } = this.place;
    if (!keyChanged) return node;
    const [key, value] = [serdes.key as Serde<unknown> | null, serdes.value as Serde<unknown> | null]; // only to tell them apart
    // The original shares a topic among readers that have not named theirs.
    const isShared = graph.semantics === 'strict' || as === undefined;
    const there = this.#known.find(
      (one) => one.key === key && one.value === value && (partitions === null || one.partitions === partitions),
    );
    if (isShared && there !== undefined) {
      graph.skipNames(3); // of a sink, a filter and a source
      return there.node;
    }
    const source = repartitioned(graph, node, { as, generated, serdes, partitions, nullKeys: 'kept' });
    if (isShared) this.#known.push({ node: source, key, value, partitions });
    return source;
  }
}
