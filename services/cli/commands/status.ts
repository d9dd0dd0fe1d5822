import type { Command } from 'commander';
import { Discovery, type Instance } from '../../discovery/discovery.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { useRunning } from '../running.ts';
import { isReady } from '../supervisor.ts';
import { table } from '../table.ts';

export const register = (program: Command): void => {
  program
    .command('status')
    .description('who runs where, and is it ready')
    .option('--json', 'one JSON document on standard output', false)
    .addHelpText(
      'after',
      '\nEnds with 0 when all are ready, 5 when some are not, 3 when nothing runs.\n\nExamples:\n  npm run bookstream -- status\n  npm run bookstream -- status --json',
    )
    .action(async (options: { json: boolean }) => {
      const running = useRunning();
      const redisUrl = process.env.REDIS_URL;
      if (!redisUrl)
        throw new CommandError('Nothing runs on this data folder. Cure: npm start', exitCodes.precondition);
      const discovery = new Discovery({ redisUrl });
      const instances = await discovery.listInstances().finally(() => discovery.close());
      const states = await Promise.all(
        instances.map(async (instance) => ({ ...instance, state: await stateOf(instance) })),
      );
      if (options.json) console.log(JSON.stringify({ running, instances: states }, null, 2));
      else {
        if (running !== null) console.log(`Bookstream runs at ${running.gatewayUrl} (process ${running.pid})\n`);
        const rows = states.map((one) => [
          one.service,
          one.instance,
          one.state,
          String(one.pid),
          age(one.startedAt),
          one.url ?? '',
        ]);
        console.log(table([['service', 'instance', 'state', 'process', 'since', 'url'], ...rows]));
      }
      const ready = states.filter((one) => one.state === 'ready').length;
      process.exitCode =
        states.length === 0 ? exitCodes.precondition : ready < states.length ? exitCodes.partial : exitCodes.ok;
    });
};

const stateOf = (instance: Instance): Promise<string> =>
  isReady(instance.healthUrl).then(
    () => 'ready',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

function age(since: number): string {
  const seconds = Math.round((Date.now() - since) / 1000);
  return seconds < 120
    ? `${seconds} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`;
}
