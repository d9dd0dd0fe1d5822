import type { Db, Document, Filter } from 'mongodb';
import { type CursorValue, type Page, type PageArguments, pageOf, sliceOf } from '../page.ts';
import type { TableOf } from '../projection.ts';
import { mongoReader, type RowDocument } from './mongo-live.ts';

export interface MongoPageOptions<R extends object> {
  readonly list: string;
  readonly projection: string;
  readonly table: TableOf<R>;
  /** Fields of the documents, all in one direction; the last one is unique. */
  readonly order: readonly string[];
  readonly direction: 1 | -1;
  readonly keyOf: (row: R) => readonly CursorValue[];
  readonly filter: Filter<RowDocument>;
}

/** A page by sort key of the live build; empty before the projection has ever run. */
export async function mongoPage<R extends object>(
  db: Db,
  options: MongoPageOptions<R>,
  page: PageArguments,
): Promise<Page<R>> {
  const { list, order, direction } = options;
  const slice = sliceOf(list, order.length, page);
  const { live, visible, read } = mongoReader(options.projection, options.table);
  const collection = await live(db);
  if (collection === null) return pageOf<R>(list, slice, [], options.keyOf);
  const [ahead, behind] = direction === 1 ? (['$gt', '$lt'] as const) : (['$lt', '$gt'] as const);
  const conditions: Filter<RowDocument>[] = [visible, options.filter];
  if (slice.after !== null) conditions.push(beyond(order, slice.after, ahead));
  if (slice.before !== null) conditions.push(beyond(order, slice.before, behind));
  const sign = slice.backwards ? -direction : direction;
  const found = await collection
    .find({ $and: conditions })
    .sort(order.map((field): [string, 1 | -1] => [field, sign === 1 ? 1 : -1]))
    .limit(slice.size + 1)
    .toArray();
  return pageOf(list, slice, found.map(read), options.keyOf);
}

/** (a, b) > (x, y), which Mongo has no word for: a > x, or a = x and b > y. */
function beyond(order: readonly string[], key: readonly CursorValue[], operator: '$gt' | '$lt'): Filter<RowDocument> {
  const alternatives: Document[] = order.map((field, index) => ({
    ...Object.fromEntries(order.slice(0, index).map((earlier, at) => [earlier, key[at]])),
    [field]: { [operator]: key[index] },
  }));
  return { $or: alternatives };
}
