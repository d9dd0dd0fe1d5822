import { createHash } from 'node:crypto';
import type { Topic } from '@bookstream/schemas/topics';

/** Where an event stands, and which row is being folded. */
export interface At {
  /** Key of the row. */
  readonly key: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** The record's, epoch ms. */
  readonly timestamp: number;
}

/**
 * What a column holds; a question mark allows null. `instant` is epoch ms in a row and timestamptz in Postgres; `json` is jsonb, in which
 * properties whose names end in `Minor` are bigints.
 */
export type ColumnType = 'text' | 'integer' | 'bigint' | 'boolean' | 'instant' | 'texts' | 'json';
export type Column = ColumnType | `${ColumnType}?`;

export interface TableOptions<E, R extends object> {
  /** Of the table or collection that readers name. */
  readonly name: string;
  /** The one topic that feeds it. */
  readonly topic: Topic<E & { readonly type: string }>;
  /** The property that is the row's key: a string, unique in the table. */
  readonly key: keyof R & string;
  readonly columns: { readonly [K in keyof R & string]-?: Column };
  /** Which rows an event touches; several events may touch one row, only ever of one partition. */
  readonly keys: (event: E, at: Omit<At, 'key'>) => readonly string[];
  /** Pure: the same row and event give the same row, in every process and every replay. Null: there is no such row (any more). */
  readonly fold: (row: R | null, event: E, at: At) => R | null;
  /** A row never changes once it is there, so a rebuild need not keep it in memory. The first event of a key wins. */
  readonly appendOnly?: boolean;
  /** On a compacted topic: a record without a value takes away the row whose key is the record's. Not for rows that never change. */
  readonly tombstones?: boolean;
  /** Beside the key's own: columns as SQL writes them (Postgres), or property → direction (Mongo). */
  readonly indexes?: readonly Index<R>[];
}

export interface Index<R extends object = object> {
  readonly name: string;
  /** `(user_id, placed_at desc)` or `using gin (…)`: what follows `on <table>`. */
  readonly sql?: string;
  readonly fields?: { readonly [K in keyof R & string]?: 1 | -1 };
}

/** A table with its types taken away, for the machinery. */
export interface Table {
  readonly name: string;
  readonly topic: Topic<{ readonly type: string }>;
  readonly key: string;
  readonly columns: Readonly<Record<string, Column>>;
  readonly keys: (event: unknown, at: Omit<At, 'key'>) => readonly string[];
  readonly fold: (row: object | null, event: unknown, at: At) => object | null;
  readonly appendOnly: boolean;
  readonly tombstones: boolean;
  readonly indexes: readonly Index[];
}

/** A table that remembers what its rows are, for queries. */
export interface TableOf<R extends object> extends Table {
  readonly row?: R;
}

/** @throws TypeError – rows that never change cannot be taken away */
export function table<E, R extends object>(options: TableOptions<E, R>): TableOf<R> {
  if (options.appendOnly && options.tombstones) {
    throw new TypeError(`${options.name} is append-only, so it cannot take tombstones; leave one of the two out.`);
  }
  return {
    appendOnly: false,
    tombstones: false,
    ...options,
    // The casts meet what was promised: events come off this topic by its own serde, rows out of this table only.
    topic: options.topic as unknown as Topic<{ readonly type: string }>,
    keys: (event, at) => options.keys(event as E, at),
    fold: (row, event, at) => options.fold(row as R | null, event as E, at),
    indexes: (options.indexes ?? []) as readonly Index[],
  };
}

export interface Projection {
  readonly name: string;
  readonly sink: 'postgres' | 'mongo';
  readonly tables: readonly Table[];
  /** The table whose row of a key has the `version` that command outcomes speak of. */
  readonly versions: Table;
  /** Changes with tables, columns, indexes and `revision`: a build of another definition is not written to. */
  readonly definition: string;
}

export interface ProjectionOptions {
  readonly name: string;
  readonly sink: 'postgres' | 'mongo';
  readonly tables: readonly [Table, ...Table[]];
  /** The first table when absent. */
  readonly versions?: Table;
  /** Raise it when a fold changes its mind about what it writes. */
  readonly revision: number;
}

export function projection(options: ProjectionOptions): Projection {
  const { name, sink, tables, revision } = options;
  const shape = tables.map(({ name, topic, key, columns, indexes }) => [name, topic.name, key, columns, indexes]);
  const definition = createHash('sha256')
    .update(JSON.stringify([revision, shape]))
    .digest('hex')
    .slice(0, 16);
  return { name, sink, tables, versions: options.versions ?? tables[0], definition };
}

/** The topics of a projection, each once, in the order of its tables. */
export const topicsOf = (projection: Projection): readonly Table['topic'][] => [
  ...new Map(projection.tables.map((table) => [table.topic.name, table.topic])).values(),
];
