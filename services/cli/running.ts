import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import type { EngineUrls } from '../engines/engine.ts';

export const root = join(import.meta.dirname, '..', '..');

/** The data folder that BOOKSTREAM_DATA names, `.bookstream` without it. */
export function dataFolder(): string {
  const given = process.env.BOOKSTREAM_DATA ?? '.bookstream';
  return isAbsolute(given) ? given : resolve(root, given);
}

/** What a running `bookstream up` leaves beside its data, so that other commands find it. */
export interface Running {
  readonly pid: number;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly urls: Partial<EngineUrls>;
  /** Null until the gateway is asked for. */
  readonly gatewayUrl: string | null;
  /** Processes of the engines that it has started itself, by the names that people know: `Kafka 2`, `the registry`. */
  readonly engines?: readonly { readonly name: string; readonly pid: number }[];
}

const fileIn = (dataDir: string) => join(dataDir, 'running.json');

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // somebody else's, but there
  }
};

/** @returns null when none runs on this data folder */
export function findRunning(dataDir = dataFolder()): Running | null {
  try {
    const running = JSON.parse(readFileSync(fileIn(dataDir), 'utf8')) as Running; // written by tellRunning only
    return isAlive(running.pid) ? running : null;
  } catch {
    return null; // no file, or one that a crash cut short: none runs
  }
}

export function tellRunning(dataDir: string, running: Running): void {
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(fileIn(dataDir), JSON.stringify(running, null, 2));
}

export const forgetRunning = (dataDir: string): void => rmSync(fileIn(dataDir), { force: true });

/** Lets this process use the engines of the platform that runs here, where its environment does not name others. */
export function useRunning(): Running | null {
  const running = findRunning();
  for (const [variable, url] of Object.entries(running?.urls ?? {})) process.env[variable] ??= url;
  return running;
}
