import { ContentHash } from './content-hash.ts';
import { RebuildError } from './errors.ts';
import type { Table } from './projection.ts';
import type { RebuildTask } from './rebuild-report.ts';
import { canonical } from './row.ts';
import type { Sink } from './sink.ts';

/** How two builds of a table differ; keys are samples, counts are whole. */
export interface Difference {
  readonly table: string;
  readonly onlyInFirst: number;
  readonly onlyInSecond: number;
  readonly changed: number;
  readonly keys: readonly string[];
}

async function* oneByOne(sink: Sink, table: Table, build: number): AsyncGenerator<readonly [string, object]> {
  for await (const rows of sink.rows(table, build)) {
    for (const row of rows) yield [String((row as Record<string, unknown>)[table.key]), row]; // rows are plain objects
  }
}

/** Reads both builds once, in key order. Under traffic a row may differ only because one build is a moment behind. */
export async function compareBuilds(
  sink: Sink,
  table: Table,
  first: number,
  second: number,
  sampleSize = 20,
): Promise<Difference> {
  const [left, right] = [oneByOne(sink, table, first), oneByOne(sink, table, second)];
  const counts = { onlyInFirst: 0, onlyInSecond: 0, changed: 0 };
  const keys: string[] = [];
  const differs = (kind: keyof typeof counts, key: string) => {
    counts[kind] += 1;
    if (keys.length < sampleSize) keys.push(key);
  };
  let [a, b] = await Promise.all([left.next(), right.next()]);
  while (!a.done || !b.done) {
    if (!a.done && !b.done && a.value[0] === b.value[0]) {
      if (canonical(a.value[1]) !== canonical(b.value[1])) differs('changed', a.value[0]);
      [a, b] = await Promise.all([left.next(), right.next()]);
    } else if (!a.done && (b.done || a.value[0] < b.value[0])) {
      differs('onlyInFirst', a.value[0]);
      a = await left.next();
    } else if (!b.done) {
      differs('onlyInSecond', b.value[0]);
      b = await right.next();
    }
  }
  return { table: table.name, ...counts, keys };
}

/**
 * Reads back what was loaded and compares it, table by table, with what was folded: how many rows, and their content hash.
 * @returns of all tables together
 * @throws RebuildError – it is not the same
 */
export async function verifyLoaded({ projection, sink, build, signal }: RebuildTask): Promise<ContentHash> {
  const loaded = await sink.loaded(projection.name, build);
  const isFresh = loaded.length === (await sink.checkpoints(projection.name, build)).length;
  const all = new ContentHash();
  for (const table of projection.tables) {
    const found = new ContentHash();
    for await (const rows of sink.rows(table, build)) {
      signal.throwIfAborted();
      for (const row of rows) found.add(row);
    }
    all.merge(found);
    if (!isFresh) continue; // an earlier attempt verified it and has folded on since
    const folded = new ContentHash();
    for (const { loaded: tables } of loaded) {
      const part = tables[table.name];
      if (part !== undefined) folded.merge(ContentHash.of(part.rows, part.hash));
    }
    if (found.rows !== folded.rows || found.hex !== folded.hex) {
      throw new RebuildError(
        `${table.name} was folded to ${folded.rows} rows (${folded.hex}) and holds ${found.rows} (${found.hex}); ` +
          `build ${build} was dropped, readers see what they saw before.`,
      );
    }
  }
  await sink.verified(projection.name, build);
  return all;
}
