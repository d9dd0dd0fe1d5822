import type { StoreBuilder } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { type AggregateSessionStore, aggregateSessionStore } from '../state/session-store.ts';
import { type AggregateWindowStore, aggregateWindowStore } from '../state/window-store.ts';
import type { Graph } from './graph.ts';
import type { MaterializedOptions } from './k-grouped-stream.ts';
import { checkName, checkRetention } from './stores.ts';
import type { TableView } from './table-behaviour.ts';
import type { Windowed } from './windowed.ts';
import { type EmitStrategy, type SessionWindows, SlidingWindows, type TimeWindows } from './windows.ts';

export interface WindowMaterializedOptions<V> extends MaterializedOptions<V> {
  /** How long a window can be read after its start (a session: after its end), by the newest window. Default: as long as records can reach it. */
  readonly retentionMs?: number;
}

export const sizeOf = (windows: TimeWindows | SlidingWindows): number =>
  windows instanceof SlidingWindows ? windows.timeDifferenceMs : windows.sizeMs;

/**
 * The store of a tumbling, hopping or sliding aggregation.
 * @throws InvalidArgumentError – a retention that would forget windows which still take records
 */
export function timeWindowStore<K, A>(
  graph: Graph,
  windows: TimeWindows | SlidingWindows,
  emitStrategy: EmitStrategy,
  serdes: { readonly key: Serde<K>; readonly value: Serde<A> },
  options: WindowMaterializedOptions<A>,
): StoreBuilder {
  // A sliding window is also made of the one before it.
  const spanMs = windows instanceof SlidingWindows ? 2 * windows.timeDifferenceMs : windows.sizeMs;
  const leastMs = spanMs + windows.graceMs;
  const { store: name, retentionMs = leastMs, persistent = true } = options;
  checkName(name);
  checkRetention(name, retentionMs, leastMs, 'for its windows and their grace');
  const store = { name, keySerde: serdes.key, valueSerde: serdes.value, windowSizeMs: sizeOf(windows) };
  // The original's stores forget a millisecond sooner, except those that tell closed windows.
  const keepsBound = graph.semantics === 'strict' || emitStrategy === 'onWindowClose';
  return aggregateWindowStore({ ...store, retentionMs, persistent }, keepsBound);
}

/** The store of a session aggregation. @throws InvalidArgumentError – a retention that would forget sessions which still take records */
export function sessionWindowStore<K, A>(
  graph: Graph,
  windows: SessionWindows,
  serdes: { readonly key: Serde<K>; readonly value: Serde<A> },
  options: WindowMaterializedOptions<A>,
): StoreBuilder {
  const leastMs = windows.inactivityGapMs + windows.graceMs;
  const { store: name, retentionMs = leastMs, persistent = true } = options;
  checkName(name);
  checkRetention(name, retentionMs, leastMs, 'for the gap and the grace');
  const store = { name, keySerde: serdes.key, valueSerde: serdes.value, retentionMs, persistent };
  return aggregateSessionStore(store, graph.semantics === 'strict');
}

/** `KStreamWindowAggregate.view`, `KStreamSlidingWindowAggregate.view` */
export const windowGetter =
  (store: string): TableView['getter'] =>
  (task) => {
    const rows = task.store(store) as AggregateWindowStore; // made above
    return (key) => {
      const { key: base, window } = key as Windowed<unknown>; // the table's keys are windowed
      return rows.fetch(base, window.startMs);
    };
  };

/** `KStreamSessionWindowAggregate.view`: a session's time is its end. */
export const sessionGetter =
  (store: string): TableView['getter'] =>
  (task) => {
    const sessions = task.store(store) as AggregateSessionStore; // made above
    return (key) => {
      const { key: base, window } = key as Windowed<unknown>; // the table's keys are windowed
      const value = sessions.fetchSession(base, window.startMs, window.endMs);
      return value === null ? null : { value, timestamp: window.endMs };
    };
  };
