import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Client, type ClientBase, Pool } from 'pg';
import { MigrationChangedError } from './errors.ts';

const folder = new URL('./migrations/', import.meta.url);

/**
 * Applies what is new in `migrations/` in order, each file in one transaction, one process at a time.
 * @returns the files that were applied now
 * @throws MigrationChangedError – nothing is applied then
 */
export async function migrate(url: string): Promise<readonly string[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`select pg_advisory_lock(hashtext('bookstream_users migrations'))`); // ends with the connection
    await client.query('create table if not exists migrations (file text primary key, sha256 text not null)');
    const rows = await client.query<{ file: string; sha256: string }>('select file, sha256 from migrations');
    const done = new Map(rows.rows.map((row) => [row.file, row.sha256]));
    const applied: string[] = [];
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()) {
      const sql = await readFile(new URL(file, folder), 'utf8');
      const sha256 = createHash('sha256').update(sql).digest('hex');
      const before = done.get(file);
      if (before !== undefined && before !== sha256) throw new MigrationChangedError(file);
      if (before !== undefined) continue;
      await transaction(client, async () => {
        await client.query(sql);
        await client.query('insert into migrations values ($1, $2)', [file, sha256]);
      });
      applied.push(file);
    }
    return applied;
  } finally {
    await client.end();
  }
}

export const connect = (url: string): Pool => new Pool({ connectionString: url, max: 10, application_name: 'users' });

/** Runs `work` in one transaction; whatever it throws rolls back and comes through. */
async function transaction<T>(client: ClientBase, work: (client: ClientBase) => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined); // a dead connection rolls back by itself; its first error is the one to tell
    throw error;
  }
}

/** The same on a connection of the pool. */
export async function inTransaction<T>(pool: Pool, work: (client: ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    return await transaction(client, work);
  } finally {
    client.release();
  }
}
