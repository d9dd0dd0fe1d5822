import type { Command } from 'commander';
import { exitCodes } from '../exit-codes.ts';
import { portFromEnvironment } from '../options.ts';
import { lookAround } from '../prerequisites.ts';
import { dataFolder, findRunning } from '../running.ts';
import { table } from '../table.ts';

export const register = (program: Command): void => {
  program
    .command('doctor')
    .description('look at versions, ports, disk and memory of this machine, each with its cure')
    .option('--json', 'one JSON document on standard output', false)
    .addHelpText('after', '\nExamples:\n  npm run doctor\n  npm run bookstream -- doctor --json')
    .action(async (options: { json: boolean }) => {
      const dataDir = dataFolder();
      const running = findRunning(dataDir);
      const port = portFromEnvironment();
      const portIsOurs = running?.gatewayUrl === `http://localhost:${port}`;
      const findings = await lookAround({ dataDir, port, portIsOurs });
      if (options.json) console.log(JSON.stringify(findings, null, 2));
      else {
        console.log(table(findings.map(({ ok, what, found }) => [ok ? 'ok' : 'MISSING', what, found])));
        for (const { ok, what, cure } of findings) if (!ok) console.log(`\n${what}: ${cure}`);
      }
      process.exitCode = findings.every((finding) => finding.ok) ? exitCodes.ok : exitCodes.precondition;
    });
};
