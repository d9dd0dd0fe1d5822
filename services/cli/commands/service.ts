import { Argument, type Command, Option } from 'commander';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { useRunning } from '../running.ts';
import { type WorkingService, workingServices } from '../scale.ts';

const names = ['gateway', 'users', ...workingServices, 'worker'] as const;

export const register = (program: Command): void => {
  program
    .command('service')
    .description('run one service in this process until SIGTERM; `worker` hosts all topologies and projections')
    .addArgument(new Argument('<name>').choices(names))
    .addOption(new Option('--without <services...>', 'of `worker`: those that run elsewhere').choices(workingServices))
    .addHelpText(
      'after',
      `
Its configuration comes from the environment; what is not set there is taken from the platform that runs on this machine.
It tells /livez and /readyz on HEALTH_PORT (any free port without it; \`status\` names it).

Examples:
  npm run bookstream -- service stock
  BOOKSTREAM_INSTANCE=stock-2 npm run bookstream -- service stock`,
    )
    .action(async (name: string, { without = [] }: { without?: readonly WorkingService[] }) => {
      if (name !== 'worker' && without.length > 0)
        throw new CommandError('--without goes with `service worker`; nothing was started.', exitCodes.usage);
      useRunning();
      // Loaded only when asked for, because a service brings its whole world with it. Each main.ts exports `main`.
      const file = name === 'worker' ? '../worker.ts' : `../../${name}/main.ts`;
      const { main } = (await import(file)) as { main: (without?: readonly WorkingService[]) => Promise<void> };
      await (name === 'worker' ? main(without) : main());
    });
};
