import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { removeData } from '../platform.ts';
import { dataFolder, findRunning } from '../running.ts';

export const register = (program: Command): void => {
  program
    .command('reset')
    .description('remove all data of this machine: topics, databases, logs; downloaded engines stay')
    .option('--yes', 'without asking', false)
    .option('--dry-run', 'only say what would be removed', false)
    .addHelpText('after', '\nExamples:\n  npm run bookstream -- reset --dry-run\n  npm run bookstream -- reset --yes')
    .action(async (options: { yes: boolean; dryRun: boolean }) => {
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
      if (!options.yes) await confirm(dataDir);
      const removed = await removeData(dataDir);
      console.error(removed.length === 0 ? `${dataDir} was empty` : `removed from ${dataDir}: ${removed.join(', ')}`);
    });
};

async function confirm(dataDir: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new CommandError('Nothing was removed: nobody can be asked. Cure: --yes', exitCodes.usage);
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await questions.question(`Remove all data in ${dataDir}? Type "reset": `);
  questions.close();
  if (answer.trim() !== 'reset') throw new CommandError('Nothing was removed.', exitCodes.failed);
}
