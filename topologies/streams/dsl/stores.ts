import { InvalidArgumentError } from '../errors.ts';
import type { StoreBuilder } from '../plan/node.ts';
import type { Serde } from '../serde.ts';
import { TypedKeyValueStore, timestampedSerde } from '../state/key-value-store.ts';
import { type SessionStoreOptions, sessionStore } from '../state/session-store.ts';
import type { StoreSpec } from '../state/state-store.ts';
import { queryable } from '../state/store-queries.ts';
import { BytesVersionedStore } from '../state/versioned-store.ts';
import { type WindowStoreOptions, windowStore } from '../state/window-store.ts';

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

export interface VersionedKeyValueStoreOptions<K, V> extends KeyValueStoreOptions<K, V> {
  /** How far behind its newest write a version may be looked up, and may still be written, ms. Each key's latest version stays. */
  readonly historyRetentionMs: number;
}

/** Of tables without windows. */
export interface HistoryOptions {
  /**
   * Keeps every version of a row for so long (ms, against the newest row), for look-ups as of a time; older rows are refused. Rows may then
   * come out of order: they take their place in history, and joins and groupings of tables take no notice of them.
   */
  readonly versionedMs?: number;
}

export interface TableStoreOptions<K, V> extends Omit<KeyValueStoreOptions<K, V>, 'persistent'> {
  readonly persistent: boolean | undefined;
  readonly versionedMs: number | undefined;
}

export const checkName = (name: string): void => {
  if (/^[A-Za-z0-9._-]+$/.test(name)) return;
  throw new InvalidArgumentError(`"${name}" cannot name a store: letters, digits, dot, dash and underscore can`);
};

/** @throws InvalidArgumentError */
export const checkRetention = (name: string, retentionMs: number, leastMs: number, why: string): void => {
  if (Number.isSafeInteger(retentionMs) && retentionMs >= leastMs) return;
  throw new InvalidArgumentError(
    `store ${name}: a retention of ${retentionMs} ms is too short, ${leastMs} are needed ${why}`,
  );
};

type SpecOptions = Pick<KeyValueStoreOptions<unknown, unknown>, 'name' | 'persistent' | 'logged' | 'changelogConfig'>;

const specOf = (options: SpecOptions, kind: StoreSpec['kind']): StoreSpec => {
  checkName(options.name);
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
    spec: specOf(options, 'key-value'),
    ...queryable(
      options,
      ({ keySerde, valueSerde }, host) => new TypedKeyValueStore(options.name, host, keySerde, valueSerde),
    ),
  };
}

/** What tables and aggregates keep: each value with its record time. */
function timestampedKeyValue<K, V>(options: KeyValueStoreOptions<K, V>): StoreBuilder {
  return {
    spec: specOf(options, 'timestamped-key-value'),
    ...queryable(
      options,
      ({ keySerde, valueSerde }, host) =>
        new TypedKeyValueStore(options.name, host, keySerde, timestampedSerde(valueSerde)),
      { timed: true },
    ),
  };
}

/** Each key's versions, each with the time from which it is valid: for look-ups as of a time. */
function versionedKeyValue<K, V>(options: VersionedKeyValueStoreOptions<K, V>): StoreBuilder {
  const { name, historyRetentionMs } = options;
  checkRetention(name, historyRetentionMs, 0, 'to keep a history');
  return {
    spec: { ...specOf(options, 'versioned'), retentionMs: historyRetentionMs },
    ...queryable(options, (serdes, host) => new BytesVersionedStore({ name, historyRetentionMs, ...serdes }, host)),
  };
}

/** What a table keeps its rows in. */
export const tableStore = <K, V>(options: TableStoreOptions<K, V>): StoreBuilder => {
  const { versionedMs, ...rest } = options;
  const store = { ...rest, persistent: options.persistent ?? true };
  return versionedMs === undefined
    ? timestampedKeyValue(store)
    : versionedKeyValue({ ...store, historyRetentionMs: versionedMs });
};

/** Windows for processors: one value for each key and window start. */
function window<K, V>(options: WindowStoreOptions<K, V>): StoreBuilder {
  checkName(options.name);
  if (!(options.windowSizeMs >= 1))
    throw new InvalidArgumentError(
      `store ${options.name}: windows of ${options.windowSizeMs} ms hold nothing; give them at least 1`,
    );
  checkRetention(options.name, options.retentionMs, options.windowSizeMs, 'to keep a window while it lasts');
  return windowStore(options);
}

/** Sessions for processors: one value for each key, start and end. */
function session<K, A>(options: SessionStoreOptions<K, A>): StoreBuilder {
  checkName(options.name);
  checkRetention(options.name, options.retentionMs, 0, 'to keep anything');
  return sessionStore(options);
}

export const Stores = { keyValue, timestampedKeyValue, versionedKeyValue, window, session } as const;
