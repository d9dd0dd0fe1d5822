import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Address, addressOf } from '../dead-letters/address.ts';
import type { ListOptions } from '../dead-letters/list.ts';
import type { RedriveOptions } from '../dead-letters/redrive.ts';

// What the sub-commands do is loaded only when they are asked for: it brings every topology with it.

export const register = (program: Command): void => {
  const command = program
    .command('dlq')
    .description('dead letters: what could not be processed, and the parked keys behind it');
  registerList(command);
  registerShow(command);
  registerRedrive(command);
};

const reasons = 'malformed, null-key, null-value, failed, production, corrupt, …';

function registerList(command: Command): void {
  command
    .command('list')
    .description('every letter on the .dlq topics, and whether its record is parked')
    .addOption(new Option('--by <what>', 'one line a cause, or a letter').choices(['cause', 'letter']).default('cause'))
    .option('--topic <topic>', 'of this .dlq topic, or of the topic that it is for')
    .option('--application <id>', 'written by this one')
    .option('--reason <reason>', reasons)
    .option('--parked', 'only those whose record is parked', false)
    .option('--json', 'one JSON document on standard output', false)
    .addHelpText(
      'after',
      `
Letters stay on their topics for ever, also when their records have been processed since. What is known of a record is what the changelog of its
application says: it is parked, with all that came of its key since; or it is not parked now, and was redriven, left out, or never parked.
Records without a key, of projections and of global tables are never parked.

Examples:
  npm run bookstream -- dlq list
  npm run bookstream -- dlq list --parked --by letter
  npm run bookstream -- dlq list --topic stock.commands --reason malformed --json`,
    )
    .action(async (options: ListOptions) => {
      const { list } = await import('../dead-letters/list.ts');
      await list(options);
    });
}

function registerShow(command: Command): void {
  command
    .command('show')
    .description(
      'one letter: its headers, its value as its topic reads it or else as bytes, and the record that it is of',
    )
    .argument('<address>', 'topic-partition@offset, as `dlq list` tells it', addressOf)
    .option('--json', 'one JSON document on standard output; the value also as base64', false)
    .addHelpText('after', '\nExample:\n  npm run bookstream -- dlq show stock.commands.dlq-2@17')
    .action(async (address: Address, options: { json: boolean }) => {
      const { show } = await import('../dead-letters/show.ts');
      await show(address, options);
    });
}

function registerRedrive(command: Command): void {
  command
    .command('redrive')
    .description('let parked keys go on: their application processes what waits, in order, with the times that it had')
    .argument('[address]', 'of a letter, as `dlq list` tells it: its key', addressOf)
    .option('--key <key>', 'of --application, whatever its letters are')
    .option('--application <id>', 'with --key, or with --all only this one')
    .option('--all', 'every key that is parked', false)
    .option('--reason <reason>', `with --all only keys whose first record is a letter for this reason: ${reasons}`)
    .option('--skip', 'leave the record of this letter out for good, because it can never be processed', false)
    .option('--dry-run', 'only say what would be sent', false)
    .option('--timeout <seconds>', 'how long to wait until it was taken', secondsOf, 30)
    .option('--json', 'one JSON document on standard output', false)
    .addHelpText(
      'after',
      `
A redrive is a record on the application's own redrive topic. Nothing is sent to the topic that the record came from, so nobody else sees it twice.
A record that fails again is a letter again, and waits with all that is behind it. Mend what it failed with first; a record that nothing can mend is
left out with --skip, and its letter stays.

Ends with 0 when all was taken, 1 when what was named is not parked, 5 when some are letters again, 124 when an application has not come to it in time.

Examples:
  npm run bookstream -- dlq redrive stock.commands.dlq-2@17
  npm run bookstream -- dlq redrive stock.commands.dlq-2@17 --skip
  npm run bookstream -- dlq redrive --key 0198c4e2-… --application bookstream-stock
  npm run bookstream -- dlq redrive --all --reason failed --dry-run`,
    )
    .action(async (address: Address | undefined, options: RedriveOptions) => {
      const { redrive } = await import('../dead-letters/redrive.ts');
      await redrive(address, options);
    });
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0)
    throw new InvalidArgumentError(`seconds are a number above 0, not ${JSON.stringify(text)}.`);
  return seconds;
}
