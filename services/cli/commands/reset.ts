import type { Command } from 'commander';
import { confirm } from '../confirm.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { removeData } from '../platform.ts';
import type { ResetOptions } from '../reset/reset-application.ts';
import { dataFolder, findRunning } from '../running.ts';

export const register = (program: Command): void => {
  program
    .command('reset')
    .description('remove all data of this machine: topics, databases, logs; or make one application begin anew')
    .option('--yes', 'without asking', false)
    .option('--dry-run', 'only say what would be removed', false)
    .option('--application <id>', 'only what this application has made for itself; see below')
    .option('--with-orphans', 'of the application also topics that its topology does not name any more', false)
    .option('--decide-again', 'of an application also one that would lose or double what the shop has decided', false)
    .option('--json', 'of an application: one JSON document on standard output', false)
    .addHelpText(
      'after',
      `
Without --application everything in the data folder goes; downloaded engines stay.

With it the application reads its inputs again from their beginning, with empty state: its changelogs, repartition and redrive topics are deleted, the
committed offsets of its group, and its local state in the data folder. Its inputs and outputs stay, and the outputs come again. Nothing of it may run;
where nothing runs at all, the local Kafka is started for it.
Applications that decide (catalogue, order-process, stock, wallet, notifications) are refused: of their commands only the last days are kept, so
stock, wallets and orders would be lost from their state, and what they decide anew would stand behind the events of today a second time.
order-view can be reset at any time: it folds events, which are kept for ever, into rows.

Examples:
  npm run bookstream -- reset --dry-run
  npm run bookstream -- reset --yes
  npm run bookstream -- reset --application bookstream-order-view --dry-run
  npm run bookstream -- reset --application bookstream-order-view --yes --json`,
    )
    .action(async ({ application, ...options }: ResetOptions & { readonly application?: string }) => {
      if (application !== undefined) {
        const { resetOne } = await import('../reset/reset-application.ts'); // it brings every topology with it
        return resetOne(application, options);
      }
      if (options.withOrphans || options.decideAgain || options.json)
        throw new CommandError(
          '--with-orphans, --decide-again and --json go with --application; nothing was removed.',
          exitCodes.usage,
        );
      return resetAll(options);
    });
};

async function resetAll(options: Pick<ResetOptions, 'yes' | 'dryRun'>): Promise<void> {
  const dataDir = dataFolder();
  if (findRunning(dataDir) !== null) {
    throw new CommandError(
      `Bookstream runs on ${dataDir}; nothing was removed. Cure: npm run bookstream -- down`,
      exitCodes.precondition,
    );
  }
  if (options.dryRun) {
    console.error(`would remove everything in ${dataDir} but its tools`);
    return;
  }
  if (!options.yes) await confirm(`Remove all data in ${dataDir}?`, 'reset', 'Nothing was removed');
  const removed = await removeData(dataDir);
  console.error(removed.length === 0 ? `${dataDir} was empty` : `removed from ${dataDir}: ${removed.join(', ')}`);
}
