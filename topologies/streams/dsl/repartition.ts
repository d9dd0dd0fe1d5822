import type { SourceNode, TopologyNode } from '../plan/node.ts';
import { operator } from '../runtime/operators/operator.ts';
import type { Serde } from '../serde.ts';
import type { Graph } from './graph.ts';
import { windowedPartitioner } from './windowed-serdes.ts';

export interface ThroughTopic<K, V> {
  /** The topic is `<application-id>-<name>-repartition`. */
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** Null: as many as the widest topic upstream or beside it in a join. */
  readonly partitions: number | null;
  /** Without a key a record has no place; only joins that keep such records let them through. */
  readonly dropNullKeys: boolean;
}

/** Sends records to the partition of their key, through a topic of the application's own. Below it begins another sub-topology. */
export function throughTopic<K, V>(graph: Graph, parent: TopologyNode, through: ThroughTopic<K, V>): SourceNode {
  const { name, partitions, dropNullKeys } = through;
  const keySerde = through.keySerde as Serde<unknown>; // inside the graph types are erased
  const valueSerde = through.valueSerde as Serde<unknown>; // likewise
  const topic = `${name}-repartition`;
  const sinkName = graph.name('KSTREAM-SINK-', `${name}-repartition-sink`);
  const filterName = graph.name('KSTREAM-FILTER-', `${name}-repartition-filter`);
  const sourceName = graph.name('KSTREAM-SOURCE-', `${name}-repartition-source`);
  const above = dropNullKeys
    ? graph.processor(filterName, [parent], (task) =>
        operator(task, filterName, (record, emit) => {
          if (record.key === null) task.dropped(filterName, 'null-key');
          else emit(record);
        }),
      )
    : parent;
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
