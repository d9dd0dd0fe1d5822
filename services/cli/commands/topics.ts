import type { Command } from 'commander';
import { ensureTopics } from '../../platform/topics.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { demandUrl } from '../options.ts';
import { useRunning } from '../running.ts';
import { table } from '../table.ts';

interface TopicsOptions {
  readonly create: boolean;
  readonly internal: boolean;
  readonly json: boolean;
}

export const register = (program: Command): void => {
  program
    .command('topics')
    .description('every topic of the shop: who writes it, how long it is kept, is it there')
    .option('--create', 'create those that are missing', false)
    .option(
      '--internal',
      'instead those that the applications make for themselves: changelogs, repartition, redrive',
      false,
    )
    .option('--json', 'one JSON document on standard output', false)
    .addHelpText(
      'after',
      `
Internal topics are made by the application when it starts, and belong to it alone. An orphan bears its name, but its topology does not name it any
more: once no older version runs, \`reset --application ID --with-orphans\` deletes it with all the rest, \`kafka-topics.sh --delete\` alone.
"offsets" is what lies between beginning and end: no fewer than there are records.

Ends with 5 when some are missing.

Examples:
  npm run bookstream -- topics
  npm run bookstream -- topics --create
  npm run bookstream -- topics --internal --json`,
    )
    .action(async (options: TopicsOptions) => {
      if (options.create && options.internal)
        throw new CommandError(
          'Internal topics are made by their application when it starts; nothing was created. Leave --create or --internal out.',
          exitCodes.usage,
        );
      useRunning();
      const states = await (options.internal ? listInternal : listShop)(options);
      process.exitCode = states.some((one) => one.state === 'missing') ? exitCodes.partial : exitCodes.ok;
    });
};

async function listShop({ create, json }: TopicsOptions) {
  const states = await ensureTopics(demandUrl('KAFKA_URL'), { create });
  if (json) console.log(JSON.stringify(states, null, 2));
  else {
    const rows = states.map((one) => [
      ...[one.name, String(one.partitions), one.cleanup, kept(one.retentionMs), one.writer ?? 'several', one.state],
    ]);
    console.log(table([['topic', 'partitions', 'cleanup', 'kept', 'writer', 'state'], ...rows]));
  }
  return states;
}

async function listInternal({ json }: TopicsOptions) {
  const { internalTopics } = await import('../internal-topics.ts'); // it brings every topology with it
  const states = await internalTopics(demandUrl('KAFKA_URL'));
  if (json) console.log(JSON.stringify(states, null, 2));
  else {
    const rows = states.map(({ name, application, role, state, partitions, cleanup, retentionMs, offsets }) => [
      ...[name, application, role],
      ...(state === 'missing' ? ['', '', '', ''] : [String(partitions), cleanup, kept(retentionMs), String(offsets)]),
      state,
    ]);
    console.log(
      table([['topic', 'application', 'role', 'partitions', 'cleanup', 'kept', 'offsets', 'state'], ...rows]),
    );
  }
  return states;
}

const kept = (retentionMs: number): string =>
  retentionMs < 0 ? 'for ever' : `${Math.round(retentionMs / 86_400_000)} days`;
