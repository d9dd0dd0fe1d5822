import { Bell } from './bell.ts';

const catchUpMs = [3, 6, 12, 25, 50, 100, 200] as const;
const lookAnywayMs = 2_000;
/** Rows told by records and not sent yet; a reader who is slower finds the others in the table. */
const mostTold = 100;

export interface RowFeedOptions<R> {
  readonly after: number;
  readonly read: (after: number) => Promise<readonly R[]>;
  readonly positionOf: (row: R) => number;
  /** Calls `heard` when something of the feed's key happens: with the row, where the record tells it and positions are 1, 2, 3, …, else with null. */
  readonly listen: (heard: (row: R | null) => void) => () => void;
  readonly signal: AbortSignal;
}

/**
 * A feed over rows that a projection adds and never changes, each with a position that grows: what is there comes first, then what is added,
 * without a hole and without a double. A row that was told and is the next one is sent at once; all else is read from the table, behind the
 * position that was sent last.
 */
export async function* rowFeed<R>(options: RowFeedOptions<R>): AsyncGenerator<R, void, undefined> {
  const { read, positionOf, signal } = options;
  const bell = new Bell();
  let { after } = options;
  let told: R[] = [];
  let isAllTold = true;
  const stop = options.listen((row) => {
    if (row !== null && told.length < mostTold) told.push(row);
    else isAllTold = false;
    bell.ring();
  });
  signal.addEventListener('abort', () => bell.ring());
  try {
    for (let idle = 0; !signal.aborted; ) {
      const next = goingOn(told, positionOf, after);
      const rows = next.length > 0 ? next : await read(after);
      for (const row of rows) {
        after = positionOf(row);
        yield row;
        if (signal.aborted) return;
      }
      told = told.filter((row) => positionOf(row) > after);
      if (rows.length > 0 && told.length > 0) continue;
      // After a bell the row may not be written yet: look again soon, then less often. Nothing can be missing where all was told.
      if (rows.length > 0) idle = next.length > 0 && isAllTold ? catchUpMs.length : 0;
      idle = (await bell.wait(catchUpMs[idle] ?? lookAnywayMs)) ? 0 : Math.min(idle + 1, catchUpMs.length);
    }
  } finally {
    stop();
  }
}

/** Those of `told` that follow `after` without a gap. */
function goingOn<R>(told: readonly R[], positionOf: (row: R) => number, after: number): readonly R[] {
  const rows: R[] = [];
  for (const row of told) if (positionOf(row) === after + rows.length + 1) rows.push(row);
  return rows;
}
