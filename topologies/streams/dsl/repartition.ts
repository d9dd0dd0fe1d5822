import type { SourceNode, TopologyNode } from '../plan/node.ts';
import { operator, passOn } from '../runtime/operators/operator.ts';
import type { Serde } from '../serde.ts';
import type { Graph, Serdes2 } from './graph.ts';
import { needSerde } from './need-serde.ts';
import { windowedPartitioner } from './windowed-serdes.ts';

export interface ThroughTopic<K, V> {
  /** The topic is `<application-id>-<name>-repartition`. */
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** Null: as many as the widest topic upstream or beside it in a join. */
  readonly partitions: number | null;
  /**
   * Without a key a record has no place, so a node before the topic drops it; only joins that keep such records let them through. The
   * changes of a table's rows have been through a node that asks for a key, and have no other one.
   */
  readonly nullKeys: 'dropped' | 'kept' | 'unfiltered';
}

/** Generated names of streams' topics give their nodes numbers (`KStreamImpl.createRepartitionedSource`). */
const generated = /^KSTREAM.*-\d{10}$/;

/** Sends records to the partition of their key, through a topic of the application's own. Below it begins another sub-topology. */
export function throughTopic<K, V>(graph: Graph, parent: TopologyNode, through: ThroughTopic<K, V>): SourceNode {
  const { name, partitions, nullKeys } = through;
  const keySerde = through.keySerde as Serde<unknown>; // inside the graph types are erased
  const valueSerde = through.valueSerde as Serde<unknown>; // likewise
  const topic = `${name}-repartition`;
  const isNumbered = nullKeys === 'unfiltered' || generated.test(name);
  const nameOf = (prefix: string, suffix: string) => graph.name(prefix, isNumbered ? undefined : `${topic}-${suffix}`);
  const sinkName = nameOf('KSTREAM-SINK-', 'sink');
  const above =
    nullKeys === 'unfiltered' ? parent : filtered(graph, parent, nameOf('KSTREAM-FILTER-', 'filter'), nullKeys);
  const sourceName = nameOf('KSTREAM-SOURCE-', 'source');
  graph.sink({
    name: sinkName,
    parents: [above],
    topic,
    internal: true,
    keySerde,
    valueSerde,
    partitioner: windowedPartitioner(name, keySerde),
  });
  return graph.source({
    name: sourceName,
    topic,
    internal: { partitions },
    keySerde,
    valueSerde,
    timestampExtractor: null,
    offsetReset: 'earliest',
    nullKeys: 'keep',
    nullValues: 'keep',
  });
}

function filtered(graph: Graph, parent: TopologyNode, name: string, nullKeys: 'dropped' | 'kept'): TopologyNode {
  if (nullKeys === 'dropped') {
    return graph.processor(name, [parent], (task) =>
      operator(task, name, (record, emit) => {
        if (record.key === null) task.dropped(name, 'null-key');
        else emit(record);
      }),
    );
  }
  // The original has a filter there too, which lets everything through.
  return graph.semantics === 'strict' ? parent : graph.processor(name, [parent], (task) => passOn(task, name));
}

interface RepartitionedStream<K, V> {
  readonly as: string | undefined;
  /** The topic's name where the author gave none and generated names are allowed. */
  readonly generated: string;
  readonly serdes: Serdes2<K, V>;
  readonly partitions: number | null;
  readonly nullKeys: 'dropped' | 'kept';
}

/** @throws UnnamedOperatorError, MissingSerdeError */
export function repartitioned<K, V>(
  graph: Graph,
  parent: TopologyNode,
  { as, generated, serdes, partitions, nullKeys }: RepartitionedStream<K, V>,
): SourceNode {
  graph.demandName(
    as,
    `${parent.name} gives records that are sent through a repartition topic, and it has no name. Give one (as).`,
  );
  const name = as ?? generated;
  return throughTopic(graph, parent, {
    name,
    keySerde: needSerde(serdes.key, 'keySerde', `${name}-repartition`),
    valueSerde: needSerde(serdes.value, 'valueSerde', `${name}-repartition`),
    partitions,
    nullKeys,
  });
}
