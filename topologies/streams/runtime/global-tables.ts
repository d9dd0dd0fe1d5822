import type { ConsumedRecord, FetchedBatch, ProducedRecord, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { GlobalTable } from '../plan/node.ts';
import { Serdes } from '../serde.ts';
import { checkKey } from '../state/bytes.ts';
import {
  readOnlyHost,
  type StoreHost,
  TypedKeyValueStore,
  timestamped,
  timestampedSerde,
} from '../state/key-value-store.ts';
import type {
  RowWrite,
  StateStore,
  TaskStorage,
  TimestampedKeyValueStore,
  ValueAndTimestamp,
} from '../state/state-store.ts';
import { deadLetterOf, type LetterWriter } from './dead-letter.ts';
import type { GlobalTask } from './task.ts';

/** The global tables of one application on one instance: every partition of their topics, written as they come. */
export class GlobalTables implements GlobalTask {
  readonly inputs: readonly { readonly topic: string; readonly store: string }[];
  /** As processors and joins see them: values without their times. */
  readonly stores: ReadonlyMap<string, StateStore>;
  /** The same rows with the time of each. */
  readonly timestampedStores: ReadonlyMap<string, TimestampedKeyValueStore<unknown, unknown>>;
  readonly #writer: LetterWriter;
  readonly #tables: ReadonlyMap<string, GlobalTable>;
  readonly #storage: TaskStorage;
  /** Positions of tables in memory: those on the disk would tell of rows that went with the last process. */
  readonly #read = new Map<string, number>();
  #deadLetters: ProducedRecord[] = [];
  /** Of partitions with letters that nobody is known to have: written once these are sent, so that a crash in between sends them again. */
  readonly #held = new Map<string, number>();

  /** @param limits what dead-letter topics take; absent: not known */
  constructor(
    application: string,
    tables: readonly GlobalTable[],
    storage: TaskStorage,
    limits?: LetterWriter['limits'],
  ) {
    this.#writer = { application, task: 'global', ...(limits && { limits }) };
    this.#storage = storage;
    this.#tables = new Map(tables.map((table) => [table.topic, table]));
    this.inputs = tables.map((table) => ({ topic: table.topic, store: table.store.spec.name }));
    const hosts = tables.map((table) => ({ table, host: hostOf(table, storage) }));
    this.stores = new Map(hosts.map(({ table: { store }, host }) => [store.spec.name, store.open(host)]));
    this.timestampedStores = new Map(
      hosts.map(({ table: { store, keySerde, valueSerde }, host }) => {
        const { name } = store.spec;
        return [name, new TypedKeyValueStore(name, host, keySerde, timestampedSerde(valueSerde))];
      }),
    );
  }

  /** The rows of a table as bytes, for queries. */
  committedRows(name: string): TypedKeyValueStore<Uint8Array, ValueAndTimestamp<Uint8Array>> | undefined {
    const table = [...this.#tables.values()].find(({ store }) => store.spec.name === name);
    return (
      table && new TypedKeyValueStore(name, hostOf(table, this.#storage), Serdes.bytes, timestampedSerde(Serdes.bytes))
    );
  }

  position(partition: TopicPartition): number {
    const name = partitionName(partition);
    if (!this.#isPersistent(partition.topic)) return this.#read.get(name) ?? 0;
    return this.#held.get(name) ?? Number(this.#storage.metadata(positionOf(name)) ?? 0);
  }

  #isPersistent(topic: string): boolean {
    return this.#tables.get(topic)?.store.spec.persistent ?? true;
  }

  /** Forgets the rows and positions of a topic whose log is not the one that was read: it is read from the beginning. */
  wipe(topic: string, partitions: number): void {
    const table = this.#tables.get(topic);
    if (table === undefined) return;
    const names = Array.from({ length: partitions }, (_, partition) => partitionName({ topic, partition }));
    this.#storage.clear(table.store.spec.name);
    this.#storage.write({ rows: new Map(), metadata: new Map(names.map((name) => [positionOf(name), null])) });
    for (const name of names) {
      this.#read.delete(name);
      this.#held.delete(name);
    }
  }

  prepare(batch: FetchedBatch): Promise<void> | undefined {
    const table = this.#tables.get(batch.topic);
    const waits = [...batch.records].flatMap(({ value }) => {
      const wait = value === null ? undefined : table?.valueSerde.prepare?.(batch.topic, value);
      return wait === undefined ? [] : [wait];
    });
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined);
  }

  addRecords(batch: FetchedBatch): void {
    const table = this.#tables.get(batch.topic);
    if (table === undefined) return;
    const letters = this.#deadLetters.length;
    const rows = [...batch.records].flatMap((record) => this.#row(table, record));
    const name = partitionName(batch);
    const persistent = this.#isPersistent(batch.topic);
    if (!persistent) this.#read.set(name, batch.nextOffset);
    const isHeld = this.#held.has(name) || this.#deadLetters.length > letters;
    if (persistent && isHeld) this.#held.set(name, batch.nextOffset);
    this.#storage.write({
      rows: new Map([[table.store.spec.name, rows]]),
      metadata: new Map(persistent && !isHeld ? [[positionOf(name), String(batch.nextOffset)]] : []),
    });
  }

  /**
   * What could not be read since the last call, for the dead-letter topics. One taker at a time.
   * @returns `sent` is to be called when they are there: only then is that part of the topics never read again
   */
  takeDeadLetters(): { readonly letters: readonly ProducedRecord[]; readonly sent: () => void } {
    const letters = this.#deadLetters;
    const held = new Map(this.#held);
    this.#deadLetters = [];
    const sent = (): void => {
      const metadata = new Map([...held].map(([name, offset]) => [positionOf(name), String(offset)]));
      this.#storage.write({ rows: new Map(), metadata });
      for (const [name, offset] of held) if (this.#held.get(name) === offset) this.#held.delete(name);
    };
    return { letters, sent };
  }

  /** A row that nobody could read would fail every record that looks it up, so it is refused here. */
  #row(table: GlobalTable, record: ConsumedRecord): RowWrite[] {
    const refuse = (reason: string, cause: unknown): RowWrite[] => {
      this.#deadLetters.push(deadLetterOf(record, reason, cause, this.#writer));
      return [];
    };
    if (record.key === null)
      return refuse('null-key', new Error(`${table.topic} is keyed, and this record has no key`));
    try {
      checkKey(record.key);
      if (record.value === null) return [[record.key, null]];
      table.keySerde.deserialize(table.topic, record.key);
      table.valueSerde.deserialize(table.topic, record.value);
    } catch (error) {
      return refuse('malformed', error);
    }
    return [[record.key, timestamped(record.value, record.timestamp)]];
  }
}

const positionOf = (partition: string): string => `global-rows:${partition}`;

/** Nothing is ever written through its overlay: rows go straight into the storage. */
const hostOf = ({ topic, store }: GlobalTable, storage: TaskStorage): StoreHost =>
  readOnlyHost(storage, store.spec, topic);
