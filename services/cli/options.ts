import { InvalidArgumentError } from 'commander';
import type { EngineUrls } from '../engines/engine.ts';
import { CommandError, exitCodes } from './exit-codes.ts';

/** Ports above 1023 that browsers and fetch refuse to call (Fetch standard, "bad port"). */
const refusedByBrowsers = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

export function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(`a port is a number from 1 to 65535, not ${JSON.stringify(text)}.`);
  }
  if (refusedByBrowsers.has(port))
    throw new InvalidArgumentError(`browsers refuse to call port ${port}; choose another.`);
  return port;
}

/** PORT, or 4000. @throws CommandError when it is no port that can be used */
export function portFromEnvironment(): number {
  const text = process.env.PORT || '4000';
  try {
    return portOf(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(`PORT cannot be used; nothing was done: ${why} Cure: PORT=4000`, exitCodes.usage);
  }
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
