import { InvalidArgumentError } from 'commander';
import type { EngineUrls } from '../engines/engine.ts';
import { CommandError, exitCodes } from './exit-codes.ts';

export function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(`a port is a number from 1 to 65535, not ${JSON.stringify(text)}.`);
  }
  return port;
}

/** @throws CommandError when neither the environment nor a running platform names it */
export function demandUrl(variable: keyof EngineUrls): string {
  const url = process.env[variable];
  if (url) return url;
  throw new CommandError(
    `${variable} is not set and nothing runs on this data folder; nothing was done. Cure: npm start, or set ${variable}.`,
    exitCodes.precondition,
  );
}
