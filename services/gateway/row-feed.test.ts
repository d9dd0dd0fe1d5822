import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rowFeed } from './row-feed.ts';

/** A table to which rows are added while it is read: each read sees a prefix of what will once be there. */
class Growing {
  rows: number[] = [];
  readonly #wakes = new Set<() => void>();
  reads = 0;

  get listeners(): number {
    return this.#wakes.size;
  }

  add(...rows: readonly number[]): void {
    this.rows.push(...rows);
    for (const wake of this.#wakes) wake();
  }

  feed(after: number, signal: AbortSignal, pageSize = 1_000) {
    return rowFeed({
      after,
      read: async (position) => {
        this.reads += 1;
        const seen = this.rows.filter((row) => row > position).slice(0, pageSize);
        await new Promise((resolve) => setImmediate(resolve)); // what is added now is seen by the next read
        return seen;
      },
      positionOf: (row) => row,
      listen: (wake) => {
        this.#wakes.add(wake);
        return () => this.#wakes.delete(wake);
      },
      signal,
    });
  }
}

test('what is there and what comes: no hole, no double, in order, wherever it begins and however reads and additions mix', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 1, max: 4 }),
      async (sizes, after, pageSize) => {
        const table = new Growing();
        const gone = new AbortController();
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const seen: number[] = [];
        const reading = (async () => {
          if (after >= total) return;
          for await (const row of table.feed(after, gone.signal, pageSize)) if (seen.push(row) === total - after) break;
        })();
        let next = 1;
        for (const [index, size] of sizes.entries()) {
          table.add(...Array.from({ length: size }, () => next++));
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
  table.add();
  setTimeout(() => table.rows.push(1), 60);
  expect((await first).value).toBe(1);
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
