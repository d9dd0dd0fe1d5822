import type { Command } from 'commander';
import { ensureTopics } from '../../platform/topics.ts';
import { exitCodes } from '../exit-codes.ts';
import { demandUrl } from '../options.ts';
import { useRunning } from '../running.ts';
import { table } from '../table.ts';

export const register = (program: Command): void => {
  program
    .command('topics')
    .description('every topic of the shop: who writes it, how long it is kept, is it there')
    .option('--create', 'create those that are missing', false)
    .option('--json', 'one JSON document on standard output', false)
    .addHelpText(
      'after',
      '\nEnds with 5 when some are missing.\n\nExamples:\n  npm run bookstream -- topics\n  npm run bookstream -- topics --create',
    )
    .action(async (options: { create: boolean; json: boolean }) => {
      useRunning();
      const states = await ensureTopics(demandUrl('KAFKA_URL'), { create: options.create });
      if (options.json) console.log(JSON.stringify(states, null, 2));
      else {
        const rows = states.map((one) => [
          ...[one.name, String(one.partitions), one.cleanup, kept(one.retentionMs), one.writer ?? 'several', one.state],
        ]);
        console.log(table([['topic', 'partitions', 'cleanup', 'kept', 'writer', 'state'], ...rows]));
      }
      process.exitCode = states.some((one) => one.state === 'missing') ? exitCodes.partial : exitCodes.ok;
    });
};

const kept = (retentionMs: number): string =>
  retentionMs < 0 ? 'for ever' : `${Math.round(retentionMs / 86_400_000)} days`;
