import type { TopologyNode } from '../plan/node.ts';
import { passOn } from '../runtime/operators/operator.ts';
import { streamStreamJoin } from '../runtime/operators/stream-stream-join.ts';
import { streamTableGraceJoin } from '../runtime/operators/stream-table-grace-join.ts';
import { streamGlobalTableJoin, streamTableJoin } from '../runtime/operators/stream-table-join.ts';
import type { Serde } from '../serde.ts';
import { graceBuffer } from './grace-buffer.ts';
import { type Graph, sourcesOf } from './graph.ts';
import type { GlobalKTable, KTable } from './k-table.ts';
import type { KeysTogether, StreamPlace } from './keys-together.ts';
import { needSerde } from './need-serde.ts';
import { streamJoinStores } from './stream-join-stores.ts';
import type { Named, StreamJoinOptions, StreamTableJoinOptions, ValueJoiner } from './stream-options.ts';
import type { JoinWindows } from './windows.ts';

/** The join's node, the serde of the keys behind it, and whether they are still to be brought together. */
interface Joined<K> {
  readonly node: TopologyNode;
  readonly key: Serde<K> | null;
  readonly keyChanged: boolean;
}

export type StreamJoinType = 'inner' | 'left' | 'outer';

/** Node and store names of one side, in the original's order of numbers: `KStreamImplJoin.join`. */
function namesOf(graph: Graph, as: string | undefined, type: StreamJoinType) {
  const named = (suffix: string) => as && `${as}-${suffix}`;
  const windowed = {
    left: graph.name('KSTREAM-WINDOWED-', named('this-windowed')),
    right: graph.name('KSTREAM-WINDOWED-', named('other-windowed')),
  };
  const [thisPart, thisPrefix] =
    type === 'outer' ? ['outer-this-join', 'KSTREAM-OUTERTHIS-'] : ['this-join', 'KSTREAM-JOINTHIS-'];
  const [otherPart, otherPrefix] =
    type === 'inner' ? ['other-join', 'KSTREAM-JOINOTHER-'] : ['outer-other-join', 'KSTREAM-OUTEROTHER-'];
  const left = graph.name(thisPrefix, named(thisPart));
  const right = graph.name(otherPrefix, named(otherPart));
  const shared = named(`${type}-shared-join`) ?? left.replace(thisPrefix, 'KSTREAM-OUTERSHARED-');
  return {
    windowed,
    left,
    right,
    merge: graph.name('KSTREAM-MERGE-', named('merge')),
    stores: {
      ...{ left: `${left}-store`, right: `${right}-store` },
      ...{ waiting: `${shared}-store`, leftOut: as === undefined ? `${left}-left-out` : `${as}-left-out` },
    },
  };
}

/** Two streams, within a window of record time. */
export function joinStreams<K, V, V2, R>(
  type: StreamJoinType,
  left: KeysTogether<K, V>,
  right: KeysTogether<K, V2>,
  joiner: ValueJoiner<K, V, V2, R>,
  windows: JoinWindows,
  options: StreamJoinOptions<K, V, V2>,
): Joined<K> {
  const { graph } = left.place;
  const { as } = options;
  const [leftParent, rightParent] = [left.place.node.name, right.place.node.name];
  graph.demandName(
    as,
    `The join of ${leftParent} and ${rightParent} keeps both streams in stores: give it a name (as).`,
  );
  const who = as ?? `the join of ${leftParent} and ${rightParent}`;
  const key = needSerde(options.keySerde ?? left.place.serdes.key ?? right.place.serdes.key, 'keySerde', who);
  const value = needSerde(options.valueSerde ?? left.place.serdes.value, 'valueSerde', who);
  const otherValue = needSerde(options.otherValueSerde ?? right.place.serdes.value, 'otherValueSerde', who);
  const above = {
    left: left.node({ as: as && `${as}-left`, generated: leftParent, serdes: { key, value }, partitions: null }),
    right: right.node({
      as: as && `${as}-right`,
      generated: rightParent,
      serdes: { key, value: otherValue },
      partitions: null,
    }),
  };
  const names = namesOf(graph, as, type);
  const erased = (serde: Serde<K> | Serde<V> | Serde<V2>) => serde as Serde<unknown>; // inside the graph types are erased
  const { all: used, ...stores } = streamJoinStores(graph, names.stores, {
    ...{ type, windows, keySerde: erased(key) },
    left: { node: above.left, valueSerde: erased(value) },
    right: { node: above.right, valueSerde: erased(otherValue) },
    options,
  });
  const join = streamStreamJoin({ ...stores, type, windows, joiner, semantics: graph.semantics });
  const sideOf = (side: 'left' | 'right'): TopologyNode => {
    const [name, own] = [names[side], stores[side]];
    const isLeft = side === 'left';
    if (graph.semantics === 'strict')
      return graph.processor(name, [above[side]], (task) => join(task, name, isLeft), used);
    // The original has a node that keeps the records. Here the join does, which refuses late ones first; it shows what the original shows.
    const windowed = names.windowed[side];
    const keeper = graph.processor(windowed, [above[side]], (task) => passOn(task, windowed), [own]);
    const others = used.filter((store) => store !== own);
    return graph.processor(name, [keeper], (task) => join(task, name, isLeft), others);
  };
  const sides = [sideOf('left'), sideOf('right')];
  const node = graph.processor(names.merge, sides, (task) => passOn(task, names.merge));
  graph.coPartition({ node: as ?? names.merge, sources: [...sourcesOf(above.left), ...sourcesOf(above.right)] });
  return { node, key, keyChanged: false };
}

/** A stream with the rows of a table of its keys; with grace, with those that come late too. */
export function joinTable<K, V, V2, R>(
  stream: KeysTogether<K, V>,
  table: KTable<K, V2>,
  joiner: ValueJoiner<K, V, V2 | null, R>,
  options: StreamTableJoinOptions<K, V>,
  left: boolean,
): Joined<K> {
  const { graph, serdes, keyChanged } = stream.place;
  const { as, partitions = null, graceMs } = options;
  const key = options.keySerde ?? serdes.key ?? table.serdes.key;
  const value = options.valueSerde ?? serdes.value;
  const parent = stream.node({ as, generated: stream.place.node.name, serdes: { key, value }, partitions });
  const name = graph.name(left ? 'KSTREAM-LEFTJOIN-' : 'KSTREAM-JOIN-', as);
  const view = table.behaviour.view();
  const store = graceBuffer(graph, name, table.behaviour.versionedMs, { key, value }, options);
  const node = graph.processor(
    name,
    [parent],
    (task) =>
      store === null || graceMs === undefined
        ? streamTableJoin(task, name, view.getter(task), joiner, left)
        : streamTableGraceJoin(task, name, view.getter(task), { store, graceMs, joiner, left }),
    store === null ? view.stores : [...view.stores, store],
  );
  graph.coPartition({ node: name, sources: [...sourcesOf(parent), ...sourcesOf(table.node)] });
  return { node, key: keyChanged ? key : serdes.key, keyChanged: false };
}

/** A stream with the rows of a global table that its records name. */
export function joinGlobalTable<K, V, K2, V2, R>(
  { graph, node: parent, serdes, keyChanged }: StreamPlace<K, V>,
  table: GlobalKTable<K2, V2>,
  keyOf: (key: K, value: V) => K2 | null,
  joiner: ValueJoiner<K, V, V2 | null, R>,
  { as }: Named,
  left: boolean,
): Joined<K> {
  const name = graph.name('KSTREAM-LEFTJOIN-', as); // inner ones too: `KStreamImpl.globalTableJoin`
  const node = graph.processor(
    name,
    [parent],
    (task) => streamGlobalTableJoin(task, name, table.store, keyOf, joiner, left),
    [table.store],
  );
  return { node, key: serdes.key, keyChanged };
}
