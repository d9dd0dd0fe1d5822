import { partitionName, type TopicPartition } from '@bookstream/streams/kafka/port';
import { decode, fold, type Held, tablesOf } from './batch.ts';
import { ContentHash } from './content-hash.ts';
import { type Table, topicsOf } from './projection.ts';
import { readPartition } from './read-partition.ts';
import type { RebuildTask } from './rebuild-report.ts';
import type { LoadedChunk, LoadedEnd } from './sink.ts';

const chunkRows = 5_000;

interface Span {
  readonly at: TopicPartition;
  /** Offsets: the first that is there, and where the log ended when the rebuild began. */
  readonly from: number;
  readonly end: number;
}

/** Loads partition by partition what an earlier attempt has not; a partition stands whole in the build or not at all. */
export async function loadAll(task: RebuildTask): Promise<void> {
  const { projection, port, sink, build, report } = task;
  const names = topicsOf(projection).map((topic) => topic.name);
  const counts = await port.partitionCounts(names);
  const partitions = names.flatMap((topic) =>
    Array.from({ length: counts.get(topic) ?? 0 }, (_, partition) => ({ topic, partition })),
  );
  const [earliest, ends] = await Promise.all([port.earliestOffsets(partitions), port.endOffsets(partitions)]);
  const spans: readonly Span[] = partitions.map((at) => ({
    at,
    from: earliest.get(partitionName(at)) ?? 0,
    end: ends.get(partitionName(at)) ?? 0,
  }));
  report.expect(spans.reduce((sum, { from, end }) => sum + end - from, 0));
  const loaded = new Set((await sink.checkpoints(projection.name, build)).map(partitionName));
  for (const span of spans) {
    const before = report.done;
    if (!loaded.has(partitionName(span.at))) await report.during((signal) => loadPartition(task, span, signal));
    report.done = before + span.end - span.from; // markers and what was compacted away count as read
  }
  await report.tell(true);
}

/**
 * Folds one partition in memory, from `from` to `end`, and loads what came of it. Rows that never change are sent on while it reads, so
 * only the others and the keys take memory: of one partition at a time.
 */
async function loadPartition(task: RebuildTask, { at, from, end }: Span, signal: AbortSignal): Promise<void> {
  const { projection, build, port, sink, report, bad: left } = task;
  const tables = tablesOf(projection, at.topic);
  const rows = new Map(tables.map((table) => [table, new Map<string, Held>()]));
  const hashes = new Map(tables.map((table) => [table, new ContentHash()]));
  const { topic, partition } = at;
  let position = from;

  const chunkOf = (table: Table, held: readonly Held[]): LoadedChunk => {
    const kept = held.flatMap(({ row, pos }) => (row === null ? [] : [{ row, pos }]));
    for (const { row } of kept) hashes.get(table)?.add(row);
    return { table, topic, partition, rows: kept };
  };

  async function* chunks(): AsyncGenerator<LoadedChunk> {
    const sent = new Map(tables.filter((table) => table.appendOnly).map((table) => [table, new Set<string>()]));
    for await (const batch of readPartition(port, at, from, end, signal)) {
      const records = [...batch.records];
      for (const { value } of records) {
        if (value !== null) await tables[0]?.topic.valueSerde.prepare?.(topic, value);
      }
      const { decoded, bad } = decode(tables, records);
      const folded = fold(decoded, rows);
      left.push(...bad, ...folded.bad);
      for (const [table, changed] of folded.changed) {
        const gone = sent.get(table);
        const kept = rows.get(table);
        for (const [key, held] of changed) if (gone?.has(key) !== true) kept?.set(key, held);
      }
      for (const [table, gone] of sent) {
        const kept = rows.get(table);
        if (kept === undefined || kept.size < chunkRows) continue;
        for (const key of kept.keys()) gone.add(key);
        yield chunkOf(table, [...kept.values()]);
        kept.clear();
      }
      position = batch.nextOffset;
      report.done += batch.records.length;
    }
    for (const [table, kept] of rows) {
      const all = [...kept.values()];
      for (let first = 0; first < all.length; first += chunkRows) {
        yield chunkOf(table, all.slice(first, first + chunkRows));
      }
      kept.clear();
    }
  }

  const done = (): LoadedEnd => ({
    checkpoint: { topic, partition, nextOffset: position },
    loaded: Object.fromEntries([...hashes].map(([table, hash]) => [table.name, { rows: hash.rows, hash: hash.hex }])),
  });
  await sink.load(projection, build, chunks(), done);
}
