import type { Command } from 'commander';
import { demandUrl } from '../options.ts';
import { useRunning } from '../running.ts';
import { createTopics, migrateAll, registerAll } from '../setup.ts';
import { runSteps } from '../steps.ts';

export const register = (program: Command): void => {
  program
    .command('setup')
    .description('create topics, register schemas, migrate databases; safe to run again')
    .addHelpText('after', '\nExample:\n  docker compose run setup')
    .action(async () => {
      useRunning();
      const urls = {
        KAFKA_URL: demandUrl('KAFKA_URL'),
        REGISTRY_URL: demandUrl('REGISTRY_URL'),
        USERS_POSTGRES_URL: demandUrl('USERS_POSTGRES_URL'),
        POSTGRES_URL: demandUrl('POSTGRES_URL'),
        MONGO_URL: demandUrl('MONGO_URL'),
      };
      await runSteps([
        { title: 'topics', run: () => createTopics(urls.KAFKA_URL) },
        { title: 'schemas', run: (tell) => registerAll(urls.REGISTRY_URL, tell) },
        { title: 'databases', run: () => migrateAll(urls) },
      ]);
    });
};
