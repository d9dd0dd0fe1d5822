import { Client, DatabaseError, escapeIdentifier } from 'pg';

/** SQLSTATEs: the database is not there; it is, because another process was faster (in pg_database, or by its name). */
const [invalidCatalogName, uniqueViolation, duplicateDatabase] = ['3D000', '23505', '42P04'];

/** Creates the database that `url` names where its server has none of that name. Safe to call from several processes at once. */
export async function ensureDatabase(url: string): Promise<void> {
  if (await isThere(url)) return;
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  const server = new Client({ connectionString: Object.assign(new URL(url), { pathname: '/postgres' }).href });
  await server.connect();
  try {
    await server.query(`create database ${escapeIdentifier(name)}`);
  } catch (error) {
    if (!(error instanceof DatabaseError && [uniqueViolation, duplicateDatabase].includes(error.code ?? '')))
      throw error;
  } finally {
    await server.end();
  }
}

async function isThere(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === invalidCatalogName) return false;
    throw error;
  } finally {
    await client.end();
  }
}
