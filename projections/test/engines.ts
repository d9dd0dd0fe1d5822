import { rm } from 'node:fs/promises';
import { freePort } from '../../services/engines/ports.ts';
import { ephemeralFolder, startEngines } from '../../services/engines/start.ts';

/** Engines of a test file's own, whose data goes with them. */
export const databases = async () => {
  const engines = await startEngines({ only: ['postgres', 'mongo'], dataDir: ephemeralFolder(), ephemeral: true });
  return {
    postgresUrl: String(engines.urls.POSTGRES_URL),
    mongoUrl: String(engines.urls.MONGO_URL),
    [Symbol.asyncDispose]: () => engines[Symbol.asyncDispose](),
  };
};

/** A Postgres that makes its data durable, as the shop's does; the data goes with it all the same. */
export const durablePostgres = async () => {
  const dataDir = ephemeralFolder();
  const engines = await startEngines({ only: ['postgres'], dataDir, ports: { postgres: await freePort() } });
  return {
    postgresUrl: String(engines.urls.POSTGRES_URL),
    [Symbol.asyncDispose]: async () => {
      await engines[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};

export type Databases = Awaited<ReturnType<typeof databases>>;

/** An own database on the server, so that tests do not meet. */
export async function ownPostgres(url: string, name: string): Promise<string> {
  const { Client } = await import('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

export const ownMongo = (url: string, name: string): string =>
  Object.assign(new URL(url), { pathname: `/${name}` }).href;

/** Waits for a described condition. @throws with what was seen last */
export async function until<T>(
  what: string,
  see: () => Promise<T> | T,
  good: (seen: T) => boolean,
  ms = 20_000,
): Promise<T> {
  for (const deadline = Date.now() + ms; ; ) {
    const seen = await see();
    if (good(seen)) return seen;
    if (Date.now() > deadline)
      throw new Error(
        `${what}: not within ${ms} ms; last seen ${JSON.stringify(seen, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
