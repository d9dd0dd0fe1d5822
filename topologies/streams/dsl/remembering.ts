import type { OperatorFunction } from 'rxjs';
import { InvalidArgumentError } from '../errors.ts';
import type { TaskContext, TopologyNode } from '../plan/node.ts';
import { bufferCountOperator, openBuffersSerde } from '../runtime/operators/buffer-count.ts';
import { distinctUntilChangedOperator } from '../runtime/operators/distinct-until-changed.ts';
import { pairwiseOperator } from '../runtime/operators/pairwise.ts';
import { rememberedSerde } from '../runtime/operators/remembered-serde.ts';
import { scanOperator } from '../runtime/operators/scan.ts';
import type { AnyRecord } from '../runtime/record.ts';
import type { Serde } from '../serde.ts';
import type { StreamPlace } from './keys-together.ts';
import { needSerde } from './need-serde.ts';
import { throughTopic } from './repartition.ts';
import { Stores } from './stores.ts';
import type { Named } from './stream-options.ts';

/** Of an operator that remembers something of each key. */
interface Remembering<K> extends Named {
  /** Names the store, its changelog and, where the key has changed and nothing else is given, the repartition topic. */
  readonly store: string;
  readonly keySerde?: Serde<K>;
  readonly persistent?: boolean;
  /** Of the repartition topic. Default: as many as the widest topic upstream. */
  readonly partitions?: number;
}

export interface RememberOptions<K, V> extends Remembering<K> {
  readonly valueSerde?: Serde<V>;
}

export interface ScanOptions<K, A> extends Remembering<K> {
  /** Of what is accumulated. */
  readonly valueSerde: Serde<A>;
}

/** The operator's node, and the serde of the keys, which are together behind it. */
interface Behind<K> {
  readonly node: TopologyNode;
  readonly key: Serde<K>;
}

interface Parts {
  readonly prefix: string;
  /** Serde of a store's row. */
  readonly row: (store: string) => Serde<unknown>;
  readonly operator: (task: TaskContext, name: string, store: string) => OperatorFunction<AnyRecord, AnyRecord>;
}

const erased = <T>(serde: Serde<T>): Serde<unknown> => serde as Serde<unknown>; // inside the graph types are erased

/** A node with a store of its own, where equal keys are together. */
function remembering<K, V>(place: StreamPlace<K, V>, options: Remembering<K>, parts: Parts): Behind<K> {
  const { graph, serdes, keyChanged } = place;
  // Types ask for a store; plain JavaScript may come without any options.
  const { store: given, as, keySerde, persistent = true, partitions }: Partial<Remembering<K>> = options ?? {};
  const cure = `What is remembered between records of ${place.node.name} stands in a store: give it one (store).`;
  const store = graph.durableName(`${parts.prefix}STATE-STORE-`, given, cure);
  const key = needSerde(keySerde ?? serdes.key, 'keySerde', store);
  const rowSerde = parts.row(store);
  let parent = place.node;
  if (keyChanged) {
    const name = as ?? store;
    const where = 'to a repartition before it';
    const valueSerde = needSerde(serdes.value, 'valueSerde', `${name}-repartition`, where);
    const topic = { name, keySerde: key, valueSerde, partitions: partitions ?? null, nullKeys: 'dropped' as const };
    parent = throughTopic(graph, parent, topic);
  }
  graph.addStore(Stores.keyValue({ name: store, keySerde: key, valueSerde: rowSerde, persistent }));
  const name = graph.name(parts.prefix, as);
  const node = graph.processor(name, [parent], (task) => parts.operator(task, name, store), [store]);
  return { node, key };
}

/** The stream's place with the serde that its reader gives for it. */
const withValueSerde = <K, V>(place: StreamPlace<K, V>, options: RememberOptions<K, V> | undefined) => ({
  ...place,
  serdes: { key: place.serdes.key, value: options?.valueSerde ?? place.serdes.value },
});

export const scan = <K, V, A>(
  place: StreamPlace<K, V>,
  accumulator: (accumulated: A, value: V, key: K) => A | null,
  seed: A,
  options: ScanOptions<K, A>,
): Behind<K> =>
  remembering(place, options, {
    prefix: 'KSTREAM-SCAN-',
    row: (store) => erased(needSerde(options.valueSerde, 'valueSerde', store)),
    operator: (task, name, store) => scanOperator(task, name, store, accumulator, seed),
  });

export function distinctUntilChanged<K, V>(
  given: StreamPlace<K, V>,
  comparator: ((previous: V, current: V) => boolean) | null,
  options: RememberOptions<K, V>,
): Behind<K> {
  const place = withValueSerde(given, options);
  const value = (store: string) => erased(needSerde(place.serdes.value, 'valueSerde', store));
  return remembering(place, options, {
    prefix: 'KSTREAM-DISTINCT-',
    row: (store) => rememberedSerde(value(store)),
    operator: (task, name, store) => distinctUntilChangedOperator(task, name, store, value(store), comparator),
  });
}

export function pairwise<K, V>(given: StreamPlace<K, V>, options: RememberOptions<K, V>): Behind<K> {
  const place = withValueSerde(given, options);
  return remembering(place, options, {
    prefix: 'KSTREAM-PAIRWISE-',
    row: (store) => rememberedSerde(erased(needSerde(place.serdes.value, 'valueSerde', store))),
    operator: pairwiseOperator,
  });
}

/** @throws InvalidArgumentError – a size or distance below 1 */
export function bufferCount<K, V>(
  given: StreamPlace<K, V>,
  size: number,
  every: number,
  options: RememberOptions<K, V>,
): Behind<K> {
  for (const [what, count] of Object.entries({ size, every })) {
    if (Number.isInteger(count) && count >= 1) continue;
    throw new InvalidArgumentError(`bufferCount: ${what} is ${count}; nothing was built. Give 1 or more records.`);
  }
  const place = withValueSerde(given, options);
  return remembering(place, options, {
    prefix: 'KSTREAM-BUFFER-',
    row: (store) => openBuffersSerde(erased(needSerde(place.serdes.value, 'valueSerde', store))),
    operator: (task, name, store) => bufferCountOperator(task, name, store, size, every),
  });
}
