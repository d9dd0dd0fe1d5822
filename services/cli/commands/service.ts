import { Argument, type Command } from 'commander';
import { useRunning } from '../running.ts';

const names = ['gateway', 'users', 'books', 'orders', 'stock', 'payments', 'notifications', 'logs', 'worker'] as const;

export const register = (program: Command): void => {
  program
    .command('service')
    .description('run one service in this process until SIGTERM; `worker` hosts all topologies and projections')
    .addArgument(new Argument('<name>').choices(names))
    .addHelpText(
      'after',
      `
Its configuration comes from the environment; what is not set there is taken from the platform that runs on this machine.
It tells /livez and /readyz on HEALTH_PORT (any free port without it; \`status\` names it).

Examples:
  npm run bookstream -- service stock
  BOOKSTREAM_INSTANCE=stock-2 npm run bookstream -- service stock`,
    )
    .action(async (name: string) => {
      useRunning();
      // Loaded only when asked for, because a service brings its whole world with it. Each main.ts exports `main`.
      const file = name === 'worker' ? '../worker.ts' : `../../${name}/main.ts`;
      const { main } = (await import(file)) as { main: () => Promise<void> };
      await main();
    });
};
