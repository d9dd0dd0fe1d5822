import { InvalidArgumentError } from '../errors.ts';
import type { Serde } from '../serde.ts';
import { joinBuffer } from '../state/join-buffer.ts';
import type { Graph, Serdes2 } from './graph.ts';
import { needSerde } from './need-serde.ts';

/**
 * The store where records of a stream-table join wait for rows that come late.
 * @param historyMs how far back the table's rows can be looked up; undefined: not at all
 * @returns its name; null for a join without grace
 * @throws InvalidArgumentError – the table's history is shorter than the grace: what a record waits for could be gone when it is joined
 */
export function graceBuffer<K, V>(
  graph: Graph,
  name: string,
  historyMs: number | undefined,
  { key, value }: Serdes2<K, V>,
  { as, graceMs }: { readonly as?: string; readonly graceMs?: number },
): string | null {
  if (graceMs === undefined) return null;
  graph.demandName(as, 'A join with grace keeps what waits in a store: give it a name (as).');
  if (!Number.isSafeInteger(graceMs) || graceMs < 0) {
    throw new InvalidArgumentError(`${name}: a grace of ${graceMs} ms; a whole number of at least 0 is needed`);
  }
  if (historyMs === undefined || historyMs < graceMs) {
    const table = historyMs === undefined ? 'keeps no history' : `keeps ${historyMs} ms of history`;
    throw new InvalidArgumentError(
      `${name} waits ${graceMs} ms for rows of a table that ${table}; nothing was built. Give the table versionedMs of at least the grace.`,
    );
  }
  const store = `${name}-buffer`;
  const erased = (serde: Serde<K> | Serde<V>) => serde as Serde<unknown>; // inside the graph types are erased
  graph.addStore(
    joinBuffer({
      name: store,
      keySerde: erased(needSerde(key, 'keySerde', store)),
      valueSerde: erased(needSerde(value, 'valueSerde', store)),
    }),
  );
  return store;
}
