import { InvalidCursorError } from './errors.ts';

/** Relay's arguments; the caller has seen to it that sizes are from 1 to 100 and that `first` and `last` do not meet. */
export interface PageArguments {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}

export interface Page<R> {
  /** In the order of the list, also when it was read from its end. */
  readonly items: readonly { readonly cursor: string; readonly node: R }[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

export type CursorValue = string | number;

export const defaultPageSize = 20;

/** Opaque to clients: the list it belongs to and the sort key of an item. */
export const cursorOf = (list: string, values: readonly CursorValue[]): string =>
  Buffer.from(JSON.stringify([list, ...values])).toString('base64url');

/** @throws InvalidCursorError – it is of another list, another sort or none of ours */
export function readCursor(list: string, count: number, cursor: string): readonly CursorValue[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw new InvalidCursorError();
  }
  if (!Array.isArray(parsed) || parsed[0] !== list || parsed.length !== count + 1) throw new InvalidCursorError();
  return parsed.slice(1).map((value: unknown) => {
    if (typeof value !== 'string' && typeof value !== 'number') throw new InvalidCursorError();
    return value;
  });
}

/** What to ask a database for: one more than the page, forwards or from the end, between two sort keys. */
export interface Slice {
  readonly size: number;
  readonly backwards: boolean;
  readonly after: readonly CursorValue[] | null;
  readonly before: readonly CursorValue[] | null;
}

/** @param count how many values a sort key of this list has */
export function sliceOf(list: string, count: number, page: PageArguments): Slice {
  const backwards = page.last !== undefined && page.last !== null;
  const at = (cursor: string | null | undefined) =>
    cursor === undefined || cursor === null ? null : readCursor(list, count, cursor);
  return {
    size: (backwards ? page.last : page.first) ?? defaultPageSize,
    backwards,
    after: at(page.after),
    before: at(page.before),
  };
}

/** @param found up to `slice.size + 1` rows as the database gave them */
export function pageOf<R>(
  list: string,
  slice: Slice,
  found: readonly R[],
  keyOf: (row: R) => readonly CursorValue[],
): Page<R> {
  const more = found.length > slice.size;
  const rows = found.slice(0, slice.size);
  if (slice.backwards) rows.reverse();
  return {
    items: rows.map((node) => ({ cursor: cursorOf(list, keyOf(node)), node })),
    hasNextPage: slice.backwards ? slice.before !== null : more,
    hasPreviousPage: slice.backwards ? more : slice.after !== null,
  };
}
