import type { Pool } from 'pg';

/**
 * Ends a pool and waits until its connections have closed: `pool.end()` alone resolves before, and a server that stops in that moment ends them
 * with an error that nobody listens to, which ends the process.
 */
export async function endPool(pool: Pool): Promise<void> {
  let open = pool.totalCount;
  const closed = new Promise<void>((resolve) => {
    if (open === 0) resolve();
    pool.on('remove', () => {
      open -= 1;
      if (open === 0) resolve();
    });
  });
  await pool.end();
  await closed;
}
