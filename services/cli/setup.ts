import { projections } from '@bookstream/projections/all';
import { DefinitionChangedError } from '@bookstream/projections/errors';
import { MongoSink } from '@bookstream/projections/sinks/mongo';
import { PostgresSink } from '@bookstream/projections/sinks/postgres';
import { registerSchemas } from '@bookstream/schemas/register';
import type { EngineUrls } from '../engines/engine.ts';
import { ensureDatabase } from '../platform/ensure-database.ts';
import { ensureTopics } from '../platform/topics.ts';
import { migrate } from '../users/database.ts';

/** What must be there before a service starts. Every part may be run again: what is there stays as it is. */

/** @returns how many there are, for people */
export async function createTopics(kafkaUrl: string): Promise<string> {
  const states = await ensureTopics(kafkaUrl, { create: true });
  const created = states.filter((topic) => topic.state === 'created').length;
  return created === 0 ? `${states.length} are there` : `${created} created, ${states.length} in all`;
}

/** @returns how many there are, for people */
export async function registerAll(registryUrl: string, tell: (line: string) => void = () => {}): Promise<string> {
  const count = await registerSchemas(registryUrl, (done, total) => tell(`schemas ${done} of ${total}`));
  return `${count} subjects`;
}

/**
 * The databases where they are missing, the users' tables, and the first build of every read model, so that readers find it before anything writes to it.
 * @returns what was done, for people
 */
export async function migrateAll(
  urls: Pick<EngineUrls, 'USERS_POSTGRES_URL' | 'POSTGRES_URL' | 'MONGO_URL'>,
): Promise<string> {
  for (const url of [urls.POSTGRES_URL, urls.USERS_POSTGRES_URL]) await ensureDatabase(url);
  const applied = await migrate(urls.USERS_POSTGRES_URL);
  const sinks = { postgres: new PostgresSink(urls.POSTGRES_URL), mongo: new MongoSink(urls.MONGO_URL) };
  const outdated: string[] = [];
  try {
    for (const projection of projections) {
      try {
        await sinks[projection.sink].prepare(projection);
      } catch (error) {
        if (!(error instanceof DefinitionChangedError)) throw error;
        outdated.push(projection.name); // the live build goes on being read; its service says what to do
      }
    }
  } finally {
    await Promise.all([sinks.postgres.close(), sinks.mongo.close()]);
  }
  const told = [
    applied.length === 0 ? 'users up to date' : `users: ${applied.length} migrations`,
    `${projections.length - outdated.length} read models`,
    ...(outdated.length === 0 ? [] : [`to be rebuilt: ${outdated.join(', ')}`]),
  ];
  return told.join(', ');
}
