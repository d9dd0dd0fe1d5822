import { registerSchemas } from '@bookstream/schemas/register';
import type { EngineUrls } from '../engines/engine.ts';
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

/** @returns what was applied now, for people */
export async function migrateAll(urls: Pick<EngineUrls, 'USERS_POSTGRES_URL'>): Promise<string> {
  const applied = await migrate(urls.USERS_POSTGRES_URL);
  return applied.length === 0 ? 'up to date' : applied.join(', ');
}
