import { MissingSerdeError, TopologyError } from '../errors.ts';
import type { TopologyNode } from '../plan/node.ts';
import { type TableState, tableSource } from '../runtime/operators/table.ts';
import type { Graph, Serdes2 } from './graph.ts';
import { KTable } from './k-table.ts';
import { tableStore } from './stores.ts';
import { sourceBehaviour } from './table-behaviour.ts';

/** The table that a node's records make up. It gets its store at once if it was named one, else when a later step needs rows. */
export function tableOf<K, V>(
  graph: Graph,
  parent: TopologyNode,
  name: string,
  serdes: Serdes2<K, V>,
  options: { readonly store?: string; readonly persistent?: boolean; readonly versionedMs?: number },
  /** The store's name where the author gave none: the original uses its number up whether the store is made or not. */
  generated: string,
): KTable<K, V> {
  if (options.versionedMs !== undefined && options.store === undefined) {
    throw new TopologyError(
      `${name} is to keep a history and has no store; nothing was built. Name one in its options.`,
    );
  }
  const state: TableState = { store: null, sendsOldValues: false };
  const used: string[] = [];
  const materialise = () => {
    graph.demandName(options.store, `The rows of ${name} are needed by a later step: give it a store.`);
    const store = options.store ?? generated;
    const { key: keySerde, value: valueSerde } = serdes;
    if (keySerde === null || valueSerde === null) {
      const what = keySerde === null ? 'keySerde' : 'valueSerde';
      throw new MissingSerdeError(
        `${store} needs a ${what}, and none is known there; nothing was built. Give one in its options.`,
      );
    }
    const { persistent, versionedMs } = options;
    graph.addStore(tableStore({ name: store, keySerde, valueSerde, persistent, versionedMs }));
    state.store = store;
    used.push(store);
  };
  if (options.store !== undefined) materialise();
  const node = graph.processor(name, [parent], (task) => tableSource(task, name, state), used);
  return new KTable<K, V>(graph, node, serdes, sourceBehaviour(state, materialise, options.versionedMs));
}
