import { InvalidArgumentError } from '../errors.ts';
import type { AsyncStep, TopologyNode } from '../plan/node.ts';
import { mapAsyncOperator } from '../runtime/operators/map-async.ts';
import type { Serde } from '../serde.ts';
import type { StreamPlace } from './keys-together.ts';
import { needSerde } from './need-serde.ts';
import { throughTopic } from './repartition.ts';
import type { MapAsyncOptions } from './stream-options.ts';

/** The node of `mapAsync`, right behind its source or behind a topic of its own, and the serde of its keys. */
export function asyncValues<K, V>(
  { graph, node, serdes }: StreamPlace<K, V>,
  call: AsyncStep['call'],
  options: MapAsyncOptions<K, V>,
): { readonly node: TopologyNode; readonly key: Serde<K> | null } {
  const { as, maxInFlight, timeoutMs = 30_000, partitions = null } = options;
  const cure = `mapAsync behind ${node.name}: its topic and its calls go by its name. Give it one (as).`;
  const name = graph.durableName('KSTREAM-MAPASYNC-', as, cure);
  if (!(Number.isInteger(maxInFlight) && maxInFlight >= 1))
    throw new InvalidArgumentError(`${name}: maxInFlight is ${maxInFlight}; nothing was built. Give 1 or more calls.`);
  if (!(timeoutMs > 0))
    throw new InvalidArgumentError(`${name}: timeoutMs is ${timeoutMs}; nothing was built. Give it some time.`);
  const key = options.keySerde ?? serdes.key;
  const source =
    node.kind === 'source'
      ? node
      : throughTopic(graph, node, {
          name,
          keySerde: needSerde(key, 'keySerde', `${name}-repartition`),
          valueSerde: needSerde(options.valueSerde ?? serdes.value, 'valueSerde', `${name}-repartition`),
          partitions,
          nullKeys: 'kept',
        });
  const step = { call, maxInFlight, timeoutMs };
  return { node: graph.asyncProcessor(name, source, (task) => mapAsyncOperator(task, name), step), key };
}
