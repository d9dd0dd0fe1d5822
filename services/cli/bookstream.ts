#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { register as chaos } from './commands/chaos.ts';
import { register as dlq } from './commands/dlq.ts';
import { register as doctor } from './commands/doctor.ts';
import { register as down } from './commands/down.ts';
import { register as projection } from './commands/projection.ts';
import { register as reset } from './commands/reset.ts';
import { register as schemas } from './commands/schemas.ts';
import { register as seed } from './commands/seed.ts';
import { register as service } from './commands/service.ts';
import { register as setup } from './commands/setup.ts';
import { register as status } from './commands/status.ts';
import { register as topics } from './commands/topics.ts';
import { register as up } from './commands/up.ts';
import { exitCodes } from './exit-codes.ts';
import { root } from './running.ts';
import { tellError } from './tell-error.ts';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const program = new Command('bookstream')
  .description('The book shop as one flow of events: start it, look at it, mend it.')
  .version(version)
  .showSuggestionAfterError()
  .configureHelp({ sortSubcommands: true })
  .addHelpText(
    'after',
    `
Exit codes:
  0 ok   1 failed   2 wrong usage   3 something it needs is missing   4 an invariant is violated
  5 only in part   75 try later   124 timed out   130 interrupted

Examples:
  npm start
  npm run bookstream -- status
  npm run bookstream -- <command> --help`,
  );

const commands = [up, down, status, doctor, service, setup, seed, topics, dlq, schemas, projection, reset, chaos];
for (const register of commands) register(program);

const everyCommand = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(everyCommand)];
for (const command of everyCommand(program)) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  // Commander has told already.
  process.exitCode =
    error instanceof CommanderError ? (error.exitCode === 0 ? exitCodes.ok : exitCodes.usage) : tellError(error);
}
