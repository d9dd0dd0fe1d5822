import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rowFeed } from './row-feed.ts';

/** How a row gets about: into the table with a bell, told by its record as well, or told while it is not written yet. */
const ways = ['rung', 'told', 'told early'] as const;

/** A table to which rows are added while it is read: each read sees a prefix of what will once be there. */
class Growing {
  rows: number[] = [];
  readonly #listeners = new Set<(row: number | null) => void>();
  reads = 0;

  get listeners(): number {
    return this.#listeners.size;
  }

  add(way: (typeof ways)[number], ...rows: readonly number[]): void {
    if (way === 'told early') setTimeout(() => this.#write(rows), 2);
    else this.#write(rows);
    for (const row of way === 'rung' ? [null] : rows) this.tell(row);
  }

  tell(row: number | null): void {
    for (const heard of this.#listeners) heard(row);
  }

  #write(rows: readonly number[]): void {
    this.rows = [...this.rows, ...rows].sort((a, b) => a - b);
  }

  feed(after: number, signal: AbortSignal, pageSize = 1_000) {
    return rowFeed({
      after,
      read: async (position) => {
        this.reads += 1;
        const gap = this.rows.findIndex((row, index) => row !== index + 1); // a projection writes in order
        const seen = this.rows
          .slice(0, gap < 0 ? undefined : gap)
          .filter((row) => row > position)
          .slice(0, pageSize);
        await new Promise((resolve) => setImmediate(resolve)); // what is added now is seen by the next read
        return seen;
      },
      positionOf: (row) => row,
      listen: (heard) => {
        this.#listeners.add(heard);
        return () => this.#listeners.delete(heard);
      },
      signal,
    });
  }
}

test('what is there and what comes: no hole, no double, in order, wherever it begins and however reads and additions mix', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(...ways)), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 1, max: 4 }),
      async (additions, after, pageSize) => {
        const table = new Growing();
        const gone = new AbortController();
        const total = additions.reduce((sum, [size]) => sum + size, 0);
        const seen: number[] = [];
        const reading = (async () => {
          if (after >= total) return;
          for await (const row of table.feed(after, gone.signal, pageSize)) if (seen.push(row) === total - after) break;
        })();
        let next = 1;
        for (const [index, [size, way]] of additions.entries()) {
          table.add(way, ...Array.from({ length: size }, () => next++));
          if (index % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        await reading;
        const expected = Array.from({ length: Math.max(0, total - after) }, (_, index) => after + index + 1);
        expect(seen).toEqual(expected);
        expect(table.listeners).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

test('a row that is written some time after the bell is found without another bell', async () => {
  const table = new Growing();
  const gone = new AbortController();
  const first = table.feed(0, gone.signal).next();
  table.add('rung');
  setTimeout(() => table.rows.push(1), 60);
  expect((await first).value).toBe(1);
});

test('a told row that is the next one comes at once and without a look at the table', async () => {
  const table = new Growing();
  const gone = new AbortController();
  table.rows.push(1);
  const feed = table.feed(0, gone.signal);
  expect((await feed.next()).value).toBe(1);
  const second = feed.next();
  table.tell(2);
  expect((await second).value).toBe(2); // the table never has it
  expect(table.reads).toBe(1);
  gone.abort();
});

test('a told row behind a gap waits until the rows before it have come', async () => {
  const table = new Growing();
  const gone = new AbortController();
  const feed = table.feed(0, gone.signal);
  const first = feed.next();
  table.tell(2);
  table.tell(2); // a record that came twice
  setTimeout(() => table.rows.push(1), 20);
  expect([(await first).value, (await feed.next()).value]).toEqual([1, 2]);
  table.tell(3);
  expect((await feed.next()).value).toBe(3);
  gone.abort();
});

test('more told rows than a slow reader may keep are found in the table', async () => {
  const table = new Growing();
  const gone = new AbortController();
  const feed = table.feed(0, gone.signal);
  const seen: number[] = [];
  const first = feed.next();
  table.add('told', ...Array.from({ length: 500 }, (_, index) => index + 1));
  for (let next = await first; seen.push(Number(next.value)) < 500; ) next = await feed.next();
  expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
  gone.abort();
});

test('a reader who leaves while it waits leaves nothing behind', async () => {
  const table = new Growing();
  const gone = new AbortController();
  const waiting = table.feed(0, gone.signal).next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(table.listeners).toBe(1);
  gone.abort();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(table.listeners).toBe(0);
});
