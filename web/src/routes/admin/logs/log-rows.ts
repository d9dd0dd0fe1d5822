import { graphql, type ResultOf } from '#lib/api/graphql.ts';

/** A line of the log as the page shows it. */
export const ShownLine = graphql(`
  fragment ShownLine on LogLine {
    id
    time
    level
    service
    instance
    traceId
    orderId
    event
    message
    fields {
      name
      value
    }
  }
`);
export type Line = ResultOf<typeof ShownLine>;
export type Level = Line['level'];

/** From least to worst. */
export const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const satisfies readonly Level[];

/** A place where lines are missing. */
export interface Gap {
  readonly gap: true;
  readonly id: string;
  /** Of the line above it: what is missing was written before. */
  readonly time: string;
  /** How many, if the server said so; null when nobody knows. */
  readonly count: number | null;
  /** Why, as a sentence. */
  readonly reason: string;
}
export type Row = Line | Gap;

export const isGap = (row: Row): row is Gap => 'gap' in row;

/**
 * Puts newer rows on top (both newest first), each line once, and lets the oldest go beyond `capacity`. A gap at the very end says nothing and goes
 * with them.
 */
export function withNewer(rows: readonly Row[], newer: readonly Row[], capacity: number): readonly Row[] {
  const known = new Set(rows.map((row) => row.id));
  const all = [...newer.filter((row) => !known.has(row.id)), ...rows].slice(0, capacity);
  const last = all.at(-1);
  return all.length === capacity && last !== undefined && isGap(last) ? all.slice(0, -1) : all;
}

/**
 * Puts in a page that was read from the store (newest first) while the feed ran: each line once, by time. If the page does not reach back to what is
 * there, a gap says so.
 */
export function withPage(rows: readonly Row[], page: readonly Line[], capacity: number): readonly Row[] {
  const known = new Set(rows.map((row) => row.id));
  const fresh: Row[] = page.filter((line) => !known.has(line.id));
  const [newest, oldestRead] = [rows[0], page.at(-1)];
  const apart =
    newest !== undefined && oldestRead !== undefined && fresh.length === page.length && oldestRead.time > newest.time;
  if (apart) {
    const reason = 'more was written meanwhile than was read back';
    fresh.push({ gap: true, id: `gap-${oldestRead.id}`, time: oldestRead.time, count: null, reason });
  }
  // Array.sort is stable: lines of one millisecond stay in the order in which they were given.
  return [...fresh, ...rows].sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0)).slice(0, capacity);
}

/** Puts a page of older lines (newest first) below, each once. */
export function withOlder(rows: readonly Row[], older: readonly Line[]): readonly Row[] {
  const known = new Set(rows.map((row) => row.id));
  return [...rows, ...older.filter((line) => !known.has(line.id))];
}

/** Does the line hold the text: in message, event, service, ids or a field? Case does not count; an empty text is in every line. */
export function holds(line: Line, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return true;
  const places = [
    line.message,
    line.event,
    line.service,
    line.instance,
    line.traceId,
    line.orderId,
    ...line.fields.map((field) => field.value),
  ];
  return places.some((place) => place?.toLowerCase().includes(wanted));
}
