import type { Command } from 'commander';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { findRunning, isAlive } from '../running.ts';

const deadlineMs = 45_000;

export const register = (program: Command): void => {
  program
    .command('down')
    .description('end the platform that runs on this data folder')
    .addHelpText('after', '\nExample:\n  npm run bookstream -- down')
    .action(async () => {
      const running = findRunning();
      if (running === null) {
        console.error('nothing runs on this data folder');
        return;
      }
      process.kill(running.pid, 'SIGTERM');
      const end = Date.now() + deadlineMs;
      while (isAlive(running.pid)) {
        if (Date.now() > end) {
          throw new CommandError(
            `process ${running.pid} did not end within ${deadlineMs / 1000} s. Cure: \`kill -9 ${running.pid}\`; its children end with it.`,
            exitCodes.timedOut,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      console.error('stopped');
    });
};
