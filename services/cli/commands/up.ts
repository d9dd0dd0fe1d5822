import type { Command } from 'commander';
import { portFromEnvironment, portOf } from '../options.ts';
import { type Scale, scaleOf } from '../scale.ts';
import { up } from '../up.ts';

export const register = (program: Command): void => {
  program
    .command('up')
    .description('bring the whole platform up on this machine and stay until Ctrl-C')
    .option('--reset', 'begin with empty data', false)
    .option('--no-web', 'without building the page')
    .option('--no-seed', 'leave the shop empty')
    .option(
      '--scale <service=instances>',
      'run a service in so many processes of its own, not in the shared worker; may be given again',
      scaleOf,
    )
    .option('--port <port>', 'of the page and the API; default PORT or 4000', portOf)
    .addHelpText(
      'after',
      `
Engines whose URL variable is set (KAFKA_URL, REGISTRY_URL, POSTGRES_URL and USERS_POSTGRES_URL, MONGO_URL, REDIS_URL) are used as they are;
the others run as local processes with their data in BOOKSTREAM_DATA (default .bookstream).

Examples:
  npm start
  npm start -- --reset
  npm start -- --scale stock=2
  PORT=4010 BOOKSTREAM_DATA=/tmp/second npm start -- --no-seed
  KAFKA_BROKERS=3 npm start -- --reset`,
    )
    .action(async (options: { reset: boolean; web: boolean; seed: boolean; port?: number; scale?: Scale }) => {
      const port = options.port ?? portFromEnvironment();
      process.exitCode = await up({ ...options, port, scale: options.scale ?? new Map() });
      process.exit();
    });
};
