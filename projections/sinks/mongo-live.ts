import type { Collection, Db, Document, IndexSpecification } from 'mongodb';
import type { Held } from '../batch.ts';
import type { Table, TableOf } from '../projection.ts';

/** A row in Mongo: its key as `_id`, how far each partition was folded into it, and whether it is only a tombstone. */
export interface RowDocument extends Document {
  _id: string;
  pos: Record<string, number>;
  gone?: true;
}

export interface LiveDocument extends Document {
  /** Name of the projection. */
  _id: string;
  build: number;
  /** Epoch ms: while a switch is under way nothing is claimed, unless it died. Null: none is. */
  switchingUntil: number | null;
}

export const liveCollection = (db: Db): Collection<LiveDocument> => db.collection<LiveDocument>('projection_live');

export const buildCollection = (db: Db, table: Table, build: number): Collection<RowDocument> =>
  db.collection<RowDocument>(`${table.name}_b${build}`);

/** A dot in a field's name would read as a path. */
export const posName = (topic: string, partition: number): string => `${topic.replaceAll('.', '_')}-${partition}`;

export function toDocument(table: Table, key: string, held: Held, pos: string): RowDocument {
  const guard = { _id: key, pos: { [pos]: held.pos } };
  if (held.row === null) return { ...guard, gone: true };
  const { [table.key]: _key, ...rest } = held.row as Record<string, unknown>; // rows are plain objects
  return { ...guard, ...rest };
}

export function fromDocument(table: Table, document: RowDocument): object | null {
  if (document.gone === true) return null;
  const { _id, pos: _pos, ...rest } = document;
  return { [table.key]: _id, ...rest };
}

export const indexesOf = (table: Table): readonly { readonly name: string; readonly key: IndexSpecification }[] =>
  table.indexes.flatMap(({ name, fields }) =>
    fields === undefined ? [] : [{ name, key: fields as IndexSpecification }],
  ); // 1 and -1

/** What a query needs of a collection: the live build's, asked for at each query, and rows with their type. Tombstones are hidden by `visible`. */
export const mongoReader = <R extends object>(projection: string, table: TableOf<R>) => ({
  /** Null before the projection has ever run. */
  async live(db: Db): Promise<Collection<RowDocument> | null> {
    const live = await liveCollection(db).findOne({ _id: projection });
    return live === null ? null : buildCollection(db, table, live.build);
  },
  visible: { gone: { $ne: true } } as const,
  read: (document: RowDocument): R => fromDocument(table, document) as R, // hidden tombstones apart, these are the fold's rows
});
