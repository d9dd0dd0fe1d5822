import { type LogRow, lineIdOf, logLevels, logRow } from '@bookstream/projections/logs/projection';
import { topics } from '@bookstream/schemas/topics';
import type { FetchedBatch, KafkaPort } from '@bookstream/streams/kafka/index';
import { partitionName } from '@bookstream/streams/kafka/index';
import { refusal } from './errors.ts';

/** Waits for `wake`, or for a while: an answer that was missed is found by the next look. */
class Bell {
  #rung = false;
  #resolve: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#resolve?.();
  }

  /** @returns true when it was rung */
  async wait(ms: number): Promise<boolean> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#resolve = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#resolve = null;
    }
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }
}

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

export interface LogFilter {
  readonly level: string | null;
  readonly service: string | null;
}

export interface LogItem {
  readonly cursor: string;
  readonly dropped: number;
  readonly row: LogRow;
}

const keepAtMost = 2_000;

/** Next offset of every partition, as it stands after an item. */
const logCursor = (positions: ReadonlyMap<number, number>): string =>
  Buffer.from(JSON.stringify([...positions].sort((a, b) => a[0] - b[0]))).toString('base64url');

function readLogCursor(cursor: string): ReadonlyMap<number, number> {
  try {
    const entries: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(entries) && entries.every((entry) => Array.isArray(entry) && entry.every(Number.isSafeInteger))) {
      return new Map(entries as [number, number][]); // checked just now
    }
  } catch {
    // Told below.
  }
  throw refusal('INVALID_CURSOR', 'This cursor is none of this feed; nothing was sent. Begin without one.');
}

/**
 * The log as it is written, straight from its topic: with a cursor it goes on where that item stood, without one it begins now. A reader who is
 * slower than the log loses the oldest waiting lines, and the next item says how many.
 */
export async function* logFeed(
  kafka: KafkaPort,
  options: { readonly after: string | null; readonly filter: LogFilter; readonly signal: AbortSignal },
): AsyncGenerator<LogItem, void, undefined> {
  const { name, valueSerde } = topics.logs;
  const count = (await kafka.partitionCounts([name])).get(name) ?? 0;
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic: name, partition }));
  const given = options.after === null ? null : readLogCursor(options.after);
  const ends = await kafka.endOffsets(partitions);
  const positions = new Map(
    partitions.map((one) => [one.partition, given?.get(one.partition) ?? ends.get(partitionName(one)) ?? 0]),
  );
  const worst =
    options.filter.level === null ? -1 : logLevels.findIndex((level) => level === options.filter.level?.toLowerCase());
  const bell = new Bell();
  const waiting: { readonly row: LogRow; readonly partition: number; readonly next: number }[] = [];
  let dropped = 0;
  const take = ({ partition, records }: FetchedBatch): void => {
    for (const { value, offset } of records) {
      if (value === null) continue;
      try {
        const row = logRow(valueSerde.deserialize(name, value), lineIdOf(partition, offset));
        if (row.severity < worst || (options.filter.service !== null && row.service !== options.filter.service))
          continue;
        waiting.push({ row, partition, next: offset + 1 });
      } catch {
        dropped += 1; // a line that cannot be read is in the dead-letter topic
      }
    }
    const over = waiting.length - keepAtMost;
    if (over > 0) {
      waiting.splice(0, over);
      dropped += over;
    }
    bell.ring();
  };
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: take,
    onOutOfRange: (partition, _position, logStartOffset) => fetcher.assign(partition, logStartOffset),
    onError: () => {}, // it goes on trying
  });
  options.signal.addEventListener('abort', () => bell.ring());
  try {
    for (const partition of partitions) fetcher.assign(partition, positions.get(partition.partition) ?? 0);
    while (!options.signal.aborted) {
      const next = waiting.shift();
      if (next === undefined) {
        await bell.wait(lookAnywayMs);
        continue;
      }
      positions.set(next.partition, next.next);
      const lost = dropped;
      dropped = 0;
      yield { cursor: logCursor(positions), dropped: lost, row: next.row };
    }
  } finally {
    await fetcher.close();
  }
}
