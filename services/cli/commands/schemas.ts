import { checkHistory } from '@bookstream/schemas/compatibility';
import type { Command } from 'commander';
import { exitCodes } from '../exit-codes.ts';

export const register = (program: Command): void => {
  const schemas = program.command('schemas').description('the Avro contract');
  schemas
    .command('check')
    .description('compare the schemas with every version that was ever released, without a registry')
    .option('--json', 'one JSON document on standard output', false)
    .addHelpText(
      'after',
      '\nEnds with 1 when an old reader or writer would break.\n\nExample:\n  npm run bookstream -- schemas check',
    )
    .action((options: { json: boolean }) => {
      const { broken, unrecorded } = checkHistory();
      if (options.json) console.log(JSON.stringify({ broken, unrecorded }, null, 2));
      else {
        for (const fault of broken) console.log(`broken: ${fault}`);
        for (const change of unrecorded) console.log(`not recorded: ${change}`);
        if (broken.length + unrecorded.length === 0) console.log('all schemas fit their history');
      }
      process.exitCode = broken.length + unrecorded.length === 0 ? exitCodes.ok : exitCodes.failed;
    });
};
