import type { Pool } from 'pg';
import { type CursorValue, type Page, type PageArguments, pageOf, sliceOf } from '../page.ts';
import type { TableOf } from '../projection.ts';
import { reader } from './postgres-table.ts';

/** Whatever answers a query: a pool or a client. */
export type Queryable = Pick<Pool, 'query'>;

export interface KeysetOptions<R extends object> {
  /** Name of list and sort: a cursor of another one is refused. */
  readonly list: string;
  readonly table: TableOf<R>;
  /** All in one direction; the last one is unique. `cast` is the SQL type of the expression. */
  readonly order: readonly { readonly sql: string; readonly cast: string }[];
  readonly direction: 'asc' | 'desc';
  readonly keyOf: (row: R) => readonly CursorValue[];
  /** SQL with $1 … for `values`. */
  readonly where: string;
  readonly values: readonly unknown[];
}

/** A page by sort key: no row is skipped or shown twice when others come or go meanwhile. */
export async function keysetPage<R extends object>(
  db: Queryable,
  options: KeysetOptions<R>,
  page: PageArguments,
): Promise<Page<R>> {
  const { list, order, direction } = options;
  const slice = sliceOf(list, order.length, page);
  const { columns, read } = reader(options.table);
  const values = [...options.values];
  const expressions = order.map(({ sql }) => sql).join(', ');
  const tuple = (key: readonly CursorValue[]) =>
    key.map((value, index) => `$${values.push(value)}::${order[index]?.cast}`).join(', ');
  const [ahead, behind] = direction === 'asc' ? ['>', '<'] : ['<', '>'];
  const conditions = [`(${options.where})`];
  if (slice.after !== null) conditions.push(`(${expressions}) ${ahead} (${tuple(slice.after)})`);
  if (slice.before !== null) conditions.push(`(${expressions}) ${behind} (${tuple(slice.before)})`);
  const opposite = direction === 'asc' ? 'desc' : 'asc';
  const sorted = order.map(({ sql }) => `${sql} ${slice.backwards ? opposite : direction}`).join(', ');
  const { rows } = await db.query<Record<string, unknown>>(
    `select ${columns} from ${options.table.name} where ${conditions.join(' and ')} order by ${sorted} limit ${slice.size + 1}`,
    values,
  );
  return pageOf(list, slice, rows.map(read), options.keyOf);
}

/** Rows whose `column` is among `values`, in any order. */
export async function rowsWhere<R extends object>(
  db: Queryable,
  table: TableOf<R>,
  column: string,
  values: readonly string[],
): Promise<readonly R[]> {
  const { columns, read } = reader(table);
  const { rows } = await db.query<Record<string, unknown>>(
    `select ${columns} from ${table.name} where ${column} = any($1)`,
    [values],
  );
  return rows.map(read);
}
