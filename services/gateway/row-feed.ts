import { Bell } from './bell.ts';

const catchUpMs = [3, 6, 12, 25, 50, 100, 200] as const;
const lookAnywayMs = 2_000;

/**
 * A feed over rows that a projection adds and never changes, each with a position that grows: what is there comes first, then what is added,
 * without a hole and without a double, because both are read from the same table behind the same position. `listen` only says when to look.
 */
export async function* rowFeed<R>(options: {
  readonly after: number;
  readonly read: (after: number) => Promise<readonly R[]>;
  readonly positionOf: (row: R) => number;
  readonly listen: (wake: () => void) => () => void;
  readonly signal: AbortSignal;
}): AsyncGenerator<R, void, undefined> {
  const bell = new Bell();
  const stop = options.listen(() => bell.ring());
  options.signal.addEventListener('abort', () => bell.ring());
  let { after } = options;
  try {
    // After a bell the row may not be written yet: look again soon, then less often.
    for (let idle = 0; !options.signal.aborted; ) {
      const rows = await options.read(after);
      for (const row of rows) {
        after = options.positionOf(row);
        yield row;
        if (options.signal.aborted) return;
      }
      if (rows.length > 0) idle = 0;
      idle = (await bell.wait(catchUpMs[idle] ?? lookAnywayMs)) ? 0 : Math.min(idle + 1, catchUpMs.length);
    }
  } finally {
    stop();
  }
}
