import { InvalidCursorError } from '@bookstream/projections/errors';
import type { Page, PageArguments } from '@bookstream/projections/page';
import { badInput, refusal } from '../errors.ts';

const most = 100;

/** @throws BAD_USER_INPUT – a size outside 1 to 100, or both ends at once */
export function checkedPage(args: PageArguments): PageArguments {
  const { first, last } = args;
  if (first !== undefined && first !== null && last !== undefined && last !== null) {
    throw badInput('Ask for first or for last, not for both.');
  }
  for (const size of [first, last]) {
    if (size !== undefined && size !== null && (size < 1 || size > most))
      throw badInput(`A page has 1 to ${most} items, not ${size}.`);
  }
  return args;
}

/** A Relay connection of a page. @throws INVALID_CURSOR */
export async function connection<R, N>(page: Promise<Page<R>>, node: (row: R) => N) {
  try {
    const { items, hasNextPage, hasPreviousPage } = await page;
    return {
      edges: items.map((item) => ({ cursor: item.cursor, node: node(item.node) })),
      pageInfo: {
        hasNextPage,
        hasPreviousPage,
        startCursor: items[0]?.cursor ?? null,
        endCursor: items.at(-1)?.cursor ?? null,
      },
    };
  } catch (error) {
    if (error instanceof InvalidCursorError) throw refusal('INVALID_CURSOR', error.message);
    throw error;
  }
}
