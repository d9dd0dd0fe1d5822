import { type Serde, Serdes } from '../serde.ts';
import type { StoreHost } from './key-value-store.ts';
import type { StateStore } from './state-store.ts';

export interface StoreSerdes<K, V> {
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
}

/** What queries need of a store: they read rows as bytes, which may come from another process, and turn them into values where they are asked for. */
export interface StoreQueries {
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  /** A row begins with the record time of its value. */
  readonly timed: boolean;
  /** Of window stores: how long after its start a window ends. Else 0. */
  readonly windowSizeMs: number;
  /** The store with bytes as its keys and values. */
  openBytes(host: StoreHost): StateStore;
}

/** The two ways to open a store: with its author's types, and as bytes. */
export const queryable = <K, V, S extends StateStore>(
  options: StoreSerdes<K, V>,
  open: (serdes: StoreSerdes<unknown, unknown>, host: StoreHost) => S,
  { timed = false, windowSizeMs = 0 }: Partial<Pick<StoreQueries, 'timed' | 'windowSizeMs'>> = {},
): { readonly open: (host: StoreHost) => S; readonly queries: StoreQueries } => {
  const serdes = options as StoreSerdes<unknown, unknown>; // types are erased below the DSL
  const bytes = { keySerde: Serdes.bytes, valueSerde: Serdes.bytes } as StoreSerdes<unknown, unknown>; // likewise
  return {
    open: (host) => open(serdes, host),
    queries: {
      keySerde: serdes.keySerde,
      valueSerde: serdes.valueSerde,
      timed,
      windowSizeMs,
      openBytes: (host) => open(bytes, host),
    },
  };
};
