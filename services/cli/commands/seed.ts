import type { Command } from 'commander';
import { Discovery } from '../../discovery/discovery.ts';
import type { EngineUrls } from '../../engines/engine.ts';
import { demandUrl } from '../options.ts';
import { dataFolder, useRunning } from '../running.ts';
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
      const origin = running?.gatewayUrl ?? (await findGateway(urls.REDIS_URL));
      console.error(await seedThrough({ origin, urls, dataDir: dataFolder() }, (line) => console.error(line)));
    });
};

/** Where the gateway says it answers: in containers that is another host. */
async function findGateway(redisUrl: string): Promise<string> {
  const discovery = new Discovery({ redisUrl });
  try {
    return (await discovery.findService('gateway'))?.url ?? 'http://localhost:4000';
  } finally {
    await discovery.close();
  }
}
