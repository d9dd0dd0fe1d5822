import { pipeline } from 'node:stream/promises';
import { DatabaseError, escapeIdentifier, Pool, type PoolClient, type QueryResult } from 'pg';
import { from } from 'pg-copy-streams';
import { RebuildCancelledError, RebuildError } from '../errors.ts';
import { migrate } from '../migrations/migrate.ts';
import type { Projection, Table } from '../projection.ts';
import type {
  Build,
  BuildState,
  CatchUp,
  Checkpoint,
  Claim,
  Loaded,
  LoadedChunk,
  LoadedEnd,
  Sink,
  Work,
} from '../sink.ts';
import { endPool } from './end-pool.ts';
import { applyBatch } from './postgres-batch.ts';
import { buildTable, postgresTable } from './postgres-table.ts';

/** Rows of one page when a whole table is read. */
const pageRows = 5_000;

interface BuildRow {
  readonly projection: string;
  readonly build: number;
  readonly state: BuildState;
  readonly definition: string;
  readonly created_at: Date;
}

const buildOf = (row: BuildRow): Build => ({
  projection: row.projection,
  build: row.build,
  state: row.state,
  definition: row.definition,
  createdAt: row.created_at.getTime(),
});

/** Builds are tables `<name>_b<build>`; readers name the views. Rows and positions are written in one transaction. */
export class PostgresSink implements Sink {
  readonly pool: Pool;
  #prepared: Promise<unknown> | null = null;

  constructor(url: string, options: { readonly maxConnections?: number } = {}) {
    this.pool = new Pool({ connectionString: url, max: options.maxConnections ?? 8 });
    this.pool.on('error', () => undefined); // an idle connection broke; the next query opens another
  }

  async prepare(projection: Projection): Promise<Build> {
    this.#prepared ??= migrate(this.pool).catch((error: unknown) => {
      this.#prepared = null;
      throw error;
    });
    await this.#prepared;
    return this.#transaction(async (client) => {
      await lockProjection(client, projection.name);
      const live = await liveOf(client, projection.name);
      const known =
        live === null ? null : ((await buildsOf(client, projection.name)).find((b) => b.build === live) ?? null);
      if (known !== null) {
        return known;
      }
      const build = await addBuild(client, projection);
      for (const table of projection.tables) {
        for (const statement of postgresTable(table).indexes(build.build)) await client.query(statement);
      }
      await this.#show(client, projection, build.build);
      await client.query('insert into projection_live (projection, build) values ($1, $2)', [
        projection.name,
        build.build,
      ]);
      return { ...build, state: 'LIVE' };
    });
  }

  async builds(projection?: string): Promise<readonly Build[]> {
    return buildsOf(this.pool, projection);
  }

  async live(projection: string): Promise<number | null> {
    return liveOf(this.pool, projection);
  }

  async checkpoints(projection: string, build: number): Promise<readonly Checkpoint[]> {
    return checkpointsOf(this.pool, projection, build);
  }

  async claim(projection: string, build: number, topic: string, partition: number, whileLive: boolean): Promise<Claim> {
    const { rows } = await this.pool.query<{ epoch: string; next_offset: string }>(
      `insert into projection_checkpoints as c (projection, build, topic, partition, next_offset, epoch) values ($1, $2, $3, $4, 0, 1)
       on conflict (projection, build, topic, partition) do update set epoch = c.epoch + 1 returning epoch, next_offset`,
      [projection, build, topic, partition],
    );
    const { epoch, next_offset } = rows[0] ?? { epoch: '0', next_offset: '0' };
    return { projection, build, topic, partition, nextOffset: Number(next_offset), epoch: Number(epoch), whileLive };
  }

  async apply(claim: Claim, work: Work): Promise<void> {
    await applyBatch(this.pool, claim, work);
  }

  /** SQLSTATE classes 22 (data) and 23 (constraints). */
  isRefusal(error: unknown): boolean {
    return error instanceof DatabaseError && /^2[23]/.test(error.code ?? '');
  }

  async begin(projection: Projection): Promise<Build> {
    return this.#transaction(async (client) => {
      await lockProjection(client, projection.name);
      const builds = await buildsOf(client, projection.name);
      const resumable = builds.find(
        ({ state, definition }) => state === 'BUILDING' && definition === projection.definition,
      );
      for (const build of builds) {
        const isOver = build.state === 'BUILDING' || build.state === 'DROPPED'; // the latter may have been condemned only
        if (isOver && build !== resumable) await dropBuild(client, projection, build.build);
      }
      return resumable ?? addBuild(client, projection);
    });
  }

  async lockRebuild(projection: string): Promise<AsyncDisposable> {
    const client = await this.pool.connect();
    const { rows } = await client.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(hashtext('bookstream rebuild'), hashtext($1)) as locked`,
      [projection],
    );
    if (rows[0]?.locked !== true) {
      client.release();
      throw new RebuildError(
        `a rebuild of ${projection} is running already; nothing was begun. Wait for it, or cancel it.`,
      );
    }
    return {
      async [Symbol.asyncDispose]() {
        // Asked for, because a closed connection lets go only when the server notices; of a broken one it does notice.
        const unlock = `select pg_advisory_unlock(hashtext('bookstream rebuild'), hashtext($1))`;
        const fault = await client.query(unlock, [projection]).then(
          () => undefined,
          (error: Error) => error,
        );
        client.release(fault ?? false);
      },
    };
  }

  async load(
    projection: Projection,
    build: number,
    chunks: AsyncIterable<LoadedChunk>,
    end: () => LoadedEnd,
  ): Promise<void> {
    await this.#transaction(async (client) => {
      for await (const { table, rows } of chunks) {
        const plan = postgresTable(table);
        await pipeline(copyBlocks(rows.map(({ row }) => plan.toCopy(row))), client.query(from(plan.copy(build))));
      }
      const { checkpoint, loaded } = end();
      await client.query(
        'insert into projection_checkpoints (projection, build, topic, partition, next_offset, epoch, loaded) values ($1, $2, $3, $4, $5, 1, $6)',
        [projection.name, build, checkpoint.topic, checkpoint.partition, checkpoint.nextOffset, JSON.stringify(loaded)],
      );
    });
  }

  async loaded(projection: string, build: number): ReturnType<Sink['loaded']> {
    const { rows } = await this.pool.query<{ topic: string; partition: number; next_offset: string; loaded: Loaded }>(
      'select * from projection_checkpoints where projection = $1 and build = $2 and loaded is not null',
      [projection, build],
    );
    return rows.map(({ topic, partition, next_offset, loaded }) => ({
      topic,
      partition,
      nextOffset: Number(next_offset),
      loaded,
    }));
  }

  async verified(projection: string, build: number): Promise<void> {
    await this.pool.query('update projection_checkpoints set loaded = null where projection = $1 and build = $2', [
      projection,
      build,
    ]);
  }

  async index(projection: Projection, build: number): Promise<void> {
    await this.#transaction(async (client) => {
      for (const table of projection.tables) {
        const { rows } = await client.query(`select 1 from pg_index where indrelid = $1::regclass and indisprimary`, [
          buildTable(table, build),
        ]);
        if (rows.length > 0) continue; // an earlier attempt came this far
        for (const statement of postgresTable(table).indexes(build)) await client.query(statement);
      }
    });
  }

  async *rows(table: Table, build: number): AsyncIterable<readonly object[]> {
    const plan = postgresTable(table);
    for (let after: string | null = null; ; ) {
      const { rows }: QueryResult<Record<string, unknown>> = await this.pool.query(plan.selectNext(build), [
        after,
        pageRows,
      ]);
      if (rows.length > 0) yield rows.map((row) => plan.read(row));
      if (rows.length < pageRows) return;
      after = String(rows.at(-1)?.[plan.key]);
    }
  }

  async switchTo(projection: Projection, build: number, catchUp: CatchUp): Promise<void> {
    const { name } = projection;
    await this.#transaction(async (client) => {
      await client.query(`set local lock_timeout = '10s'`);
      // From here no batch of the live build begins and none is under way; the new build's own batches do not ask for this row.
      const { rows } = await client.query<{ build: number }>(
        'select build from projection_live where projection = $1 for update',
        [name],
      );
      const former = rows[0]?.build;
      if (former === undefined) throw new RebuildError(`${name} has no live build; nothing was switched.`);
      if (former === build) return;
      await catchUp(await checkpointsOf(client, name, former));
      const { rows: states } = await client.query<{ state: BuildState }>(
        'select state from projection_builds where projection = $1 and build = $2 for update',
        [name, build],
      );
      if (states[0]?.state === 'DROPPED') throw new RebuildCancelledError(name, build);
      await this.#show(client, projection, build);
      await client.query('update projection_live set build = $2, switched_at = now() where projection = $1', [
        name,
        build,
      ]);
      await client.query(`update projection_builds set state = 'KEPT' where projection = $1 and build = $2`, [
        name,
        former,
      ]);
      await client.query(`update projection_builds set state = 'LIVE' where projection = $1 and build = $2`, [
        name,
        build,
      ]);
      for (const old of await buildsOf(client, name)) {
        if (old.state === 'KEPT' && old.build !== former) await dropBuild(client, projection, old.build);
      }
    });
  }

  /** Views of the tables' own names. Dropped and made anew, since a new build may have other columns; in one transaction, so nobody sees them gone. */
  async #show(client: PoolClient, projection: Projection, build: number): Promise<void> {
    for (const table of projection.tables) {
      const name = escapeIdentifier(table.name);
      await client.query(`drop view if exists ${name}`);
      await client.query(`create view ${name} as select * from ${buildTable(table, build)}`);
    }
  }

  async condemn(projection: string, build: number): Promise<void> {
    await this.pool.query(`update projection_builds set state = 'DROPPED' where projection = $1 and build = $2`, [
      projection,
      build,
    ]);
  }

  async drop(projection: Projection, build: number): Promise<void> {
    await this.#transaction(async (client) => {
      await lockProjection(client, projection.name);
      if ((await liveOf(client, projection.name)) === build) {
        throw new RebuildError(`build ${build} of ${projection.name} is what readers see; it was not dropped.`);
      }
      await dropBuild(client, projection, build);
    });
  }

  async close(): Promise<void> {
    await endPool(this.pool);
  }

  async #transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch((fault: Error) => {
        broken = fault; // the connection is gone and the transaction with it
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

type Queryable = Pick<Pool, 'query'> | PoolClient;

const lockProjection = (client: PoolClient, name: string) =>
  client.query(`select pg_advisory_xact_lock(hashtext('bookstream projection'), hashtext($1))`, [name]);

async function liveOf(on: Queryable, projection: string): Promise<number | null> {
  const { rows } = await on.query<{ build: number }>('select build from projection_live where projection = $1', [
    projection,
  ]);
  return rows[0]?.build ?? null;
}

async function buildsOf(on: Queryable, projection?: string): Promise<readonly Build[]> {
  const { rows } = await on.query<BuildRow>(
    'select * from projection_builds where $1::text is null or projection = $1 order by projection, build',
    [projection ?? null],
  );
  return rows.map(buildOf);
}

async function checkpointsOf(on: Queryable, projection: string, build: number): Promise<readonly Checkpoint[]> {
  const { rows } = await on.query<{ topic: string; partition: number; next_offset: string }>(
    'select topic, partition, next_offset from projection_checkpoints where projection = $1 and build = $2 order by topic, partition',
    [projection, build],
  );
  return rows.map((row) => ({ topic: row.topic, partition: row.partition, nextOffset: Number(row.next_offset) }));
}

async function addBuild(client: PoolClient, projection: Projection): Promise<Build> {
  const { rows } = await client.query<BuildRow>(
    `insert into projection_builds (projection, build, state, definition)
     select $1, coalesce(max(build), 0) + 1, case when count(*) = 0 then 'LIVE' else 'BUILDING' end, $2
     from projection_builds where projection = $1 returning *`,
    [projection.name, projection.definition],
  );
  const row = rows[0];
  if (row === undefined) throw new RebuildError(`no build of ${projection.name} could be added`);
  for (const table of projection.tables) await client.query(postgresTable(table).create(row.build));
  return buildOf(row);
}

async function dropBuild(client: PoolClient, projection: Projection, build: number): Promise<void> {
  for (const table of projection.tables) await client.query(`drop table if exists ${buildTable(table, build)}`);
  await client.query('delete from projection_checkpoints where projection = $1 and build = $2', [
    projection.name,
    build,
  ]);
  // The row stays, so that no number is given twice: a zombie's claim on a dropped build must not fit a later one.
  await client.query(`update projection_builds set state = 'DROPPED' where projection = $1 and build = $2`, [
    projection.name,
    build,
  ]);
}

/** COPY's protocol costs a message a chunk, so lines go in blocks. */
function* copyBlocks(lines: readonly string[]): Generator<string> {
  for (let at = 0; at < lines.length; at += 500) yield lines.slice(at, at + 500).join('');
}
