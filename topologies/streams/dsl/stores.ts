import { InvalidArgumentError } from '../errors.ts';
import type { StoreBuilder } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { TypedKeyValueStore, timestampedSerde } from '../state/key-value-store.ts';
import type { KeyValueStore, StoreSpec } from '../state/state-store.ts';

export interface KeyValueStoreOptions<K, V> {
  /** Names the changelog: `<application-id>-<name>-changelog`. */
  readonly name: string;
  readonly keySerde: Serde<K>;
  readonly valueSerde: Serde<V>;
  /** False: rows live in memory and are restored from the changelog at each start. Default true. */
  readonly persistent?: boolean;
  /** False: no changelog; a new owner begins with nothing. Default true. */
  readonly logged?: boolean;
  readonly changelogConfig?: Readonly<Record<string, string>>;
}

const specOf = (options: KeyValueStoreOptions<never, never>, kind: StoreSpec['kind']): StoreSpec => {
  if (!/^[A-Za-z0-9._-]+$/.test(options.name)) {
    throw new InvalidArgumentError(
      `"${options.name}" cannot name a store: letters, digits, dot, dash and underscore can`,
    );
  }
  return {
    name: options.name,
    kind,
    persistent: options.persistent ?? true,
    logged: options.logged ?? true,
    retentionMs: null,
    changelogConfig: options.changelogConfig ?? {},
  };
};

/** Rows by key for processors. */
function keyValue<K, V>(options: KeyValueStoreOptions<K, V>): StoreBuilder {
  return {
    spec: specOf(options as KeyValueStoreOptions<never, never>, 'key-value'), // serdes are not looked at
    open: (host): KeyValueStore<K, V> =>
      new TypedKeyValueStore(options.name, host, options.keySerde, options.valueSerde),
  };
}

/** What tables and aggregates keep: each value with its record time. */
function timestampedKeyValue<K, V>(options: KeyValueStoreOptions<K, V>): StoreBuilder {
  return {
    spec: specOf(options as KeyValueStoreOptions<never, never>, 'timestamped-key-value'), // serdes are not looked at
    open: (host) => new TypedKeyValueStore(options.name, host, options.keySerde, timestampedSerde(options.valueSerde)),
  };
}

export const Stores = { keyValue, timestampedKeyValue } as const;
