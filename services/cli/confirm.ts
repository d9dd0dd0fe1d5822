import { createInterface } from 'node:readline/promises';
import { CommandError, exitCodes } from './exit-codes.ts';

/**
 * Goes on only when the word is typed.
 * @param not what was not done, for people
 * @throws CommandError when nobody can be asked, or something else was typed
 */
export async function confirm(question: string, word: string, not: string): Promise<void> {
  if (!process.stdin.isTTY) throw new CommandError(`${not}: nobody can be asked. Cure: --yes`, exitCodes.usage);
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await questions.question(`${question} Type "${word}": `);
  questions.close();
  if (answer.trim() !== word) throw new CommandError(`${not}.`, exitCodes.failed);
}
