import type { Command } from 'commander';
import type { EngineUrls } from '../../engines/engine.ts';
import { demandUrl } from '../options.ts';
import { useRunning } from '../running.ts';
import { seedThrough } from '../seed-through.ts';

export const register = (program: Command): void => {
  program
    .command('seed')
    .description('fill the shop with books, stock and demo accounts; safe to run again')
    .addHelpText('after', '\nExample:\n  npm run bookstream -- seed')
    .action(async () => {
      const running = useRunning();
      const urls: EngineUrls = {
        KAFKA_URL: demandUrl('KAFKA_URL'),
        REGISTRY_URL: demandUrl('REGISTRY_URL'),
        POSTGRES_URL: demandUrl('POSTGRES_URL'),
        USERS_POSTGRES_URL: demandUrl('USERS_POSTGRES_URL'),
        MONGO_URL: demandUrl('MONGO_URL'),
        REDIS_URL: demandUrl('REDIS_URL'),
      };
      const origin = running?.gatewayUrl ?? 'http://localhost:4000';
      console.error(await seedThrough(origin, urls, () => {}));
    });
};
