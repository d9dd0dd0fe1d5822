import { InvalidArgumentError, TopologyError } from '../errors.ts';
import type { TopologyNode } from '../plan/node.ts';
import type { SuppressRules } from '../runtime/operators/suppress.ts';
import type { Serde } from '../serde.ts';
import { suppressBuffer } from '../state/suppress-buffer.ts';
import type { Graph, Serdes2 } from './graph.ts';
import { needSerde } from './need-serde.ts';
import type { TableBehaviour } from './table-behaviour.ts';

/** How much a suppress may hold back. Without limits: as much as comes. */
export interface BufferConfig {
  readonly maxRecords?: number;
  /** Of keys and values as they are kept. */
  readonly maxBytes?: number;
}

interface BufferedOptions<K, V> extends BufferConfig {
  /** Names the node; the store of what is held back is `<as>-store`. */
  readonly as?: string;
  /** Needed where the table's are not known. */
  readonly keySerde?: Serde<K>;
  readonly valueSerde?: Serde<V>;
  readonly changelogConfig?: Readonly<Record<string, string>>;
}

/** `Suppressed.untilTimeLimit`. */
export interface UntilTimeLimit<K, V> extends BufferedOptions<K, V> {
  readonly until: 'timeLimit';
  /** Of stream time, from the time of a key's first update on. */
  readonly limitMs: number;
  /** `emitEarly` (default): what has waited longest goes before its time. `shutDown`: the application stops. */
  readonly onFull?: 'emitEarly' | 'shutDown';
}

/** `Suppressed.untilWindowCloses`. A result that is not final is never sent: with limits a full buffer stops the application. */
export interface UntilWindowCloses<K, V> extends BufferedOptions<K, V> {
  readonly until: 'windowClose';
}

export type SuppressOptions<K, V> = UntilTimeLimit<K, V> | UntilWindowCloses<K, V>;

/** How long after its end a window of the tables above may still be updated, ms of stream time; null where there are tables without windows. */
function windowGraceOf(node: TopologyNode): number | null {
  if (node.kind === 'processor' && node.windowGraceMs !== null) return node.windowGraceMs;
  let graceMs: number | null = null;
  for (const parent of node.parents) {
    const above = windowGraceOf(parent);
    if (above === null) return null;
    graceMs = Math.max(graceMs ?? 0, above);
  }
  return graceMs;
}

/** The table that a suppress stands below. */
interface Upstream<K, V> {
  readonly node: TopologyNode;
  readonly serdes: Serdes2<K, V>;
  readonly behaviour: TableBehaviour;
}

/**
 * Checks a suppress and gives it its store.
 * @throws TopologyError – the table is versioned, or has no windows to wait for; InvalidArgumentError – a limit is no whole number
 */
export function suppressRules<K, V>(
  graph: Graph,
  { node, serdes, behaviour }: Upstream<K, V>,
  options: SuppressOptions<K, V>,
) {
  const cure = `The suppress below ${node.name} keeps what it holds back in a store: give it a name (as).`;
  const name = graph.name('KTABLE-SUPPRESS-', options.as);
  const store = graph.durableName('KTABLE-SUPPRESS-STATE-STORE-', options.as && `${options.as}-store`, cure);
  if (behaviour.versionedMs !== undefined) {
    throw new TopologyError(
      `${name} cannot hold back updates of a versioned table: they come out of order; nothing was built. Take the history off the table.`,
    );
  }
  const windowClose = options.until === 'windowClose';
  const limitMs = windowClose ? windowGraceOf(node) : options.limitMs;
  if (limitMs === null) {
    throw new TopologyError(
      `${name} waits for windows to close, and its table has none; nothing was built. Use it on a windowed aggregation, or until: 'timeLimit'.`,
    );
  }
  const { maxRecords = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = options;
  for (const [what, limit] of Object.entries({ limitMs, maxRecords, maxBytes })) {
    const none = limit === Number.POSITIVE_INFINITY && what !== 'limitMs';
    if (none || (Number.isSafeInteger(limit) && limit >= 0)) continue;
    throw new InvalidArgumentError(`${name}: ${what} is ${limit}; a whole number of at least 0 is needed`);
  }
  const key = needSerde(options.keySerde ?? serdes.key, 'keySerde', store);
  const value = needSerde(options.valueSerde ?? serdes.value, 'valueSerde', store);
  const erased = (serde: Serde<K> | Serde<V>) => serde as Serde<unknown>; // inside the graph types are erased
  const { changelogConfig = {} } = options;
  graph.addStore(suppressBuffer({ name: store, keySerde: erased(key), valueSerde: erased(value), changelogConfig }));
  const emitEarly = options.until === 'timeLimit' && options.onFull !== 'shutDown';
  const { semantics } = graph;
  const rules: SuppressRules = { store, windowClose, limitMs, maxRecords, maxBytes, emitEarly, semantics };
  return { name, rules, serdes: { key, value } };
}
