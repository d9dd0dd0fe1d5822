import { type LogRow, lineIdOf, logLevels, logRow } from '@bookstream/projections/logs/projection';
import { topics } from '@bookstream/schemas/topics';
import { type FetchedBatch, type KafkaPort, partitionName } from '@bookstream/streams/kafka/index';
import { Bell } from './bell.ts';
import { refusal } from './errors.ts';

export interface LogFilter {
  /** This level and worse, in capitals as the API writes it. */
  readonly level: string | null;
  readonly service: string | null;
}

export interface LogItem {
  readonly cursor: string;
  /** Lines left out just before this one. */
  readonly dropped: number;
  readonly row: LogRow;
}

interface Waiting {
  readonly row: LogRow;
  readonly partition: number;
  readonly next: number;
}

const keepAtMost = 2_000;
const lookAnywayMs = 2_000;

/** Next offset of every partition, as it stands after an item. */
const cursorOf = (positions: ReadonlyMap<number, number>): string =>
  Buffer.from(JSON.stringify([...positions].sort((a, b) => a[0] - b[0]))).toString('base64url');

/** @throws INVALID_CURSOR */
function readCursor(cursor: string): ReadonlyMap<number, number> {
  try {
    const entries: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const isPosition = (entry: unknown): entry is [number, number] =>
      Array.isArray(entry) && entry.length === 2 && entry.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (Array.isArray(entries) && entries.every(isPosition)) return new Map(entries);
  } catch {
    // Told below.
  }
  throw refusal('INVALID_CURSOR', 'This cursor is none of this feed; nothing was sent. Begin without one.');
}

/** Lines on their way to one reader: when there are more than it can take, the oldest go and are counted. */
class Lines {
  readonly #waiting: Waiting[] = [];
  #dropped = 0;

  add(line: Waiting): void {
    this.#waiting.push(line);
    if (this.#waiting.length <= keepAtMost) return;
    this.#waiting.splice(0, this.#waiting.length - keepAtMost);
    this.#dropped += 1;
  }

  /** A line that cannot be read; it is in the dead-letter topic. */
  miss(): void {
    this.#dropped += 1;
  }

  next(): (Waiting & { readonly dropped: number }) | null {
    const line = this.#waiting.shift();
    if (line === undefined) return null;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { ...line, dropped };
  }
}

/** Takes what is fetched, in order, and waits for schemas that it has not met. */
function reader(filter: LogFilter, lines: Lines, bell: Bell): (batch: FetchedBatch) => void {
  const { name, valueSerde } = topics.logs;
  const names: readonly string[] = logLevels;
  const least = filter.level === null ? -1 : names.indexOf(filter.level.toLowerCase());
  const take = async ({ partition, records }: FetchedBatch): Promise<void> => {
    for (const { value, offset } of records) {
      if (value === null) continue;
      try {
        const unready = valueSerde.prepare?.(name, value);
        if (unready !== undefined) await unready;
        const row = logRow(valueSerde.deserialize(name, value), lineIdOf(partition, offset));
        if (row.severity < least || (filter.service !== null && row.service !== filter.service)) continue;
        lines.add({ row, partition, next: offset + 1 });
      } catch {
        lines.miss();
      }
    }
    bell.ring();
  };
  let last = Promise.resolve();
  return (batch) => {
    last = last.then(() => take(batch));
  };
}

/**
 * The log as it is written, straight from its topic: with a cursor it goes on where that item stood, without one it begins now. A reader who is
 * slower than the log loses the oldest waiting lines, and the next item says how many.
 */
export async function* logFeed(
  kafka: KafkaPort,
  options: { readonly after: string | null; readonly filter: LogFilter; readonly signal: AbortSignal },
): AsyncGenerator<LogItem, void, undefined> {
  const { after, filter, signal } = options;
  const { name } = topics.logs;
  const given = after === null ? null : readCursor(after);
  const count = (await kafka.partitionCounts([name])).get(name) ?? 0;
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic: name, partition }));
  const ends = await kafka.endOffsets(partitions);
  const positions = new Map(
    partitions.map((one) => [one.partition, given?.get(one.partition) ?? ends.get(partitionName(one)) ?? 0]),
  );
  const bell = new Bell();
  const lines = new Lines();
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: reader(filter, lines, bell),
    onOutOfRange: (partition, _position, logStartOffset) => fetcher.assign(partition, logStartOffset),
    onError: () => {}, // it goes on trying
  });
  const wake = () => bell.ring();
  signal.addEventListener('abort', wake);
  try {
    for (const partition of partitions) fetcher.assign(partition, positions.get(partition.partition) ?? 0);
    while (!signal.aborted) {
      const line = lines.next();
      if (line === null) {
        await bell.wait(lookAnywayMs);
        continue;
      }
      positions.set(line.partition, line.next);
      yield { cursor: cursorOf(positions), dropped: line.dropped, row: line.row };
    }
  } finally {
    signal.removeEventListener('abort', wake);
    await fetcher.close();
  }
}
