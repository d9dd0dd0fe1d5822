import type { Pool } from 'pg';
import type { HeldRows, RowsByTable } from '../batch.ts';
import { BuildSwitchedError, FencedError } from '../errors.ts';
import type { Table } from '../projection.ts';
import type { Claim, Work } from '../sink.ts';
import { postgresTable } from './postgres-table.ts';

/** Where a claimed partition stands in the database. */
interface Fence {
  /** Null when the partition has no checkpoint: its build was dropped. */
  readonly epoch: number | null;
  readonly nextOffset: number | null;
  /** Asked for only by claims that hold while their build is live. */
  readonly live: number | null;
}

/**
 * Writes a batch with two statements, since each is a wait in a process that has other work. One reads rows and fence in one snapshot; the other,
 * `projection_apply` (migrations), writes only if the fence still stands there. So the rows that were folded are the ones that are replaced, although
 * nothing is locked while they are folded. Rows of append-only tables need not be read, since those that are there stay.
 */
export async function applyBatch(pool: Pool, claim: Claim, work: Work): Promise<void> {
  const held = new Map<Table, HeldRows>();
  for (const [table, keys] of work.keys) {
    if (table.appendOnly) continue;
    const { fence, rows } = await readRows(pool, claim, table, keys).catch(async (error: unknown) => {
      await checkFence(pool, claim, work); // a table that is not there was dropped with its build
      throw error;
    });
    if (!holds(fence, claim, work)) return;
    held.set(table, rows);
  }
  const changed = await work.fold(held);
  holds(await writeRows(pool, claim, work, changed), claim, work);
}

/** @throws FencedError, BuildSwitchedError */
async function checkFence(pool: Pool, claim: Claim, work: Work): Promise<void> {
  const stay = { ...work, next: work.from };
  holds(await writeRows(pool, claim, stay, new Map()), claim, work);
}

/** @returns false when this very work was committed before, its answer having been lost */
function holds(fence: Fence, claim: Claim, work: Work): boolean {
  const { projection, build, topic, partition, epoch, whileLive } = claim;
  if (whileLive && fence.live !== null && fence.live !== build) {
    throw new BuildSwitchedError(projection, build, fence.live);
  }
  const isOurs = fence.epoch === epoch && (!whileLive || fence.live === build);
  if (isOurs && fence.nextOffset === work.next) return false;
  if (isOurs && fence.nextOffset === work.from) return true;
  throw new FencedError(projection, `${topic}-${partition}`, epoch, fence.epoch);
}

async function readRows(pool: Pool, claim: Claim, table: Table, keys: readonly string[]) {
  const { projection, build, topic, partition, whileLive } = claim;
  const plan = postgresTable(table);
  const { rows } = await pool.query<Record<string, unknown> & { readonly fence: Fence }>(
    `select jsonb_build_object('epoch', c.epoch, 'nextOffset', c.next_offset, 'live', l.build) as fence, held.*
     from projection_checkpoints c
       left join projection_live l on $5 and l.projection = c.projection
       left join (${plan.select(build, '$6')}) held on true
     where c.projection = $1 and c.build = $2 and c.topic = $3 and c.partition = $4`,
    [projection, build, topic, partition, whileLive, keys],
  );
  const found = rows.filter((row) => row[plan.key] !== null);
  return {
    fence: rows[0]?.fence ?? { epoch: null, nextOffset: null, live: null },
    rows: new Map(found.map((row) => [String(row[plan.key]), { row: plan.read(row), pos: -1 }])),
  };
}

async function writeRows(pool: Pool, claim: Claim, work: Work, changed: RowsByTable): Promise<Fence> {
  const { projection, build, topic, partition, epoch, whileLive } = claim;
  const writes = [...changed].flatMap(([table, held]) => postgresTable(table).writes(build, held));
  const { rows } = await pool.query<{ fence: Fence }>(
    'select projection_apply($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as fence',
    [
      ...[projection, build, topic, partition, epoch, whileLive, work.from, work.next],
      writes.map(({ statement }) => statement),
      `[${writes.map(({ argument }) => argument).join()}]`,
    ],
  );
  const [row] = rows;
  if (row === undefined) throw new TypeError('projection_apply gives one row');
  return row.fence;
}
