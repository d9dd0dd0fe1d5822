import type { ConsumedRecord } from '@bookstream/streams/kafka/port';
import type { At, Projection, Table } from './projection.ts';

/** A row as the sink holds it. `pos` is the offset of the last record folded into it; -1 where the sink's transaction makes it needless. */
export interface Held {
  readonly row: object | null;
  readonly pos: number;
}

export type HeldRows = ReadonlyMap<string, Held>;
export type RowsByTable = ReadonlyMap<Table, HeldRows>;
export type KeysByTable = ReadonlyMap<Table, readonly string[]>;

/** A record with the rows it touches. */
export interface Decoded {
  readonly record: ConsumedRecord;
  /** Null: a tombstone. */
  readonly event: { readonly type: string } | null;
  readonly touches: readonly { readonly table: Table; readonly keys: readonly string[] }[];
}

export interface BadRecord {
  readonly record: ConsumedRecord;
  /**
   * `corrupt` when it could not be read, `null-key` when nothing says to which partition it belongs, `processing` when a fold threw, `refused`
   * when the database would not have the row.
   */
  readonly reason: 'corrupt' | 'null-key' | 'processing' | 'refused';
  readonly cause: unknown;
}

/** The tables that one topic of a projection feeds. */
export const tablesOf = (projection: Projection, topic: string): readonly Table[] =>
  projection.tables.filter((table) => table.topic.name === topic);

/**
 * Reads records and asks which rows they touch. Synchronous: schemas were asked for before (`prepare`).
 * @param tables of one topic
 */
export function decode(
  tables: readonly Table[],
  records: readonly ConsumedRecord[],
): { readonly decoded: readonly Decoded[]; readonly bad: readonly BadRecord[] } {
  const decoded: Decoded[] = [];
  const bad: BadRecord[] = [];
  const topic = tables[0]?.topic;
  if (topic === undefined) return { decoded, bad };
  for (const record of records) {
    if (record.key === null) {
      // Without a key a writer may send it to any partition, and a row is fed by one partition only.
      bad.push({ record, reason: 'null-key', cause: new Error(`${topic.name} is keyed, and this record has no key`) });
      continue;
    }
    try {
      if (record.value === null) {
        decoded.push({ record, event: null, touches: tombstoneOf(tables, record.topic, record.key) });
        continue;
      }
      const event = topic.valueSerde.deserialize(topic.name, record.value);
      const at = placeOf(record);
      decoded.push({ record, event, touches: tables.map((table) => ({ table, keys: table.keys(event, at) })) });
    } catch (cause) {
      bad.push({ record, reason: 'corrupt', cause });
    }
  }
  return { decoded, bad };
}

function tombstoneOf(tables: readonly Table[], topic: string, key: Uint8Array): Decoded['touches'] {
  const taken = tables.filter((table) => table.tombstones);
  if (taken.length === 0) throw new TypeError(`a record of ${topic} must have a value; this one was left out`);
  const keys = [new TextDecoder().decode(key)];
  return taken.map((table) => ({ table, keys }));
}

const placeOf = ({ topic, partition, offset, timestamp }: ConsumedRecord): Omit<At, 'key'> => ({
  topic,
  partition,
  offset,
  timestamp,
});

/** Every row that a batch touches, each once. */
export function keysOf(decoded: readonly Decoded[]): KeysByTable {
  const keys = new Map<Table, Set<string>>();
  for (const { touches } of decoded) {
    for (const touch of touches) {
      const known = keys.get(touch.table) ?? new Set();
      keys.set(touch.table, known);
      for (const key of touch.keys) known.add(key);
    }
  }
  return new Map([...keys].map(([table, known]) => [table, [...known]]));
}

/**
 * Folds records in their order over the rows a sink holds. A record whose fold throws changes no row of any table. A record that a row has
 * seen (`pos`) is left out for that row.
 * @returns only rows that were folded into, their tables in the projection's order
 */
export function fold(
  decoded: readonly Decoded[],
  held: RowsByTable,
): { readonly changed: RowsByTable; readonly bad: readonly BadRecord[] } {
  const changed = new Map<Table, Map<string, Held>>();
  const bad: BadRecord[] = [];
  const order = new Set<Table>();
  for (const { record, event, touches } of decoded) {
    for (const { table } of touches) order.add(table);
    const at = placeOf(record);
    const results: { readonly table: Table; readonly key: string; readonly held: Held }[] = [];
    try {
      for (const { table, keys } of touches) {
        for (const key of keys) {
          const before = changed.get(table)?.get(key) ?? held.get(table)?.get(key) ?? { row: null, pos: -1 };
          if (before.pos >= record.offset) continue;
          const row = event === null ? null : foldOne(table, before.row, event, { ...at, key });
          results.push({ table, key, held: { row, pos: record.offset } });
        }
      }
    } catch (cause) {
      bad.push({ record, reason: 'processing', cause });
      continue;
    }
    for (const { table, key, held: result } of results) {
      const rows = changed.get(table) ?? new Map<string, Held>();
      changed.set(table, rows);
      rows.set(key, result);
    }
  }
  // In the order of the projection's tables, whatever the first record touched: a reader may take a later table's row as a sign that the earlier ones are there.
  const inOrder = [...order].flatMap((table) => {
    const rows = changed.get(table);
    return rows === undefined ? [] : [[table, rows] as const];
  });
  return { changed: new Map(inOrder), bad };
}

const foldOne = (table: Table, row: object | null, event: object, at: At): object | null =>
  table.appendOnly && row !== null ? row : table.fold(row, event, at);
