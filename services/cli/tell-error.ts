import { EngineError } from '../engines/errors.ts';
import { CommandError, exitCodes } from './exit-codes.ts';

/**
 * Says on standard error why a command did not do its work: the end of a guilty process's log, then what happened and the cure. Only a
 * fault of ours, which has no cure to tell, comes with its stack.
 * @returns the exit code
 */
export function tellError(error: unknown): number {
  if (error instanceof EngineError) {
    for (const line of error.logTail) console.error(`  | ${line}`);
    console.error(error.message);
    return exitCodes.precondition;
  }
  if (error instanceof CommandError) {
    console.error(error.message);
    for (const line of error.detail) console.error(`  ${line}`);
    return error.exitCode;
  }
  console.error(error instanceof Error && /\b(Cure|Run): /.test(error.message) ? error.message : error);
  return exitCodes.failed;
}
