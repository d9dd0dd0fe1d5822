import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Pool } from 'pg';
import { MigrationChangedError } from '../errors.ts';

const folder = new URL('./', import.meta.url);

/**
 * Applies the SQL files that are new, in order, all in one transaction; a second process waits for the first.
 * @returns the files applied now
 * @throws MigrationChangedError – a file that was applied has been edited; nothing is applied then
 */
export async function migrate(pool: Pool): Promise<readonly string[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(hashtext('bookstream projections migrations'))`);
    await client.query(
      'create table if not exists projection_migrations (file text primary key, sha256 text not null, applied_at timestamptz not null default now())',
    );
    const { rows } = await client.query<{ file: string; sha256: string }>(
      'select file, sha256 from projection_migrations',
    );
    const known = new Map(rows.map((row) => [row.file, row.sha256]));
    const applied: string[] = [];
    for (const file of files) {
      const text = await readFile(new URL(file, folder), 'utf8');
      const sha256 = createHash('sha256').update(text).digest('hex');
      const was = known.get(file);
      if (was !== undefined && was !== sha256) throw new MigrationChangedError(file);
      if (was !== undefined) continue;
      await client.query(text);
      await client.query('insert into projection_migrations (file, sha256) values ($1, $2)', [file, sha256]);
      applied.push(file);
    }
    await client.query('commit');
    return applied;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}
