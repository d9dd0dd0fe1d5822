import type { TestProject } from 'vitest/node';
import { Platform } from '../cli/platform.ts';
import { findRunning } from '../cli/running.ts';
import { seedThrough } from '../cli/seed-through.ts';
import { runSteps } from '../cli/steps.ts';
import type { EngineUrls } from '../engines/engine.ts';
import { freePort } from '../engines/ports.ts';
import { ephemeralFolder } from '../engines/start.ts';

/** Where the platform of the tests is found. */
export interface TestPlatform {
  readonly origin: string;
  readonly urls: EngineUrls;
  readonly dataDir: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    platform: TestPlatform;
  }
}

/**
 * Brings the platform up as `npm start` does, on ports and in a folder of its own, and takes it down after the last test. While you write a
 * test, E2E_PLATFORM names the data folder of a platform that runs already; then that one is used and left running.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const running = process.env.E2E_PLATFORM ? findRunning(process.env.E2E_PLATFORM) : null;
  if (running?.gatewayUrl) {
    const dataDir = String(process.env.E2E_PLATFORM);
    project.provide('platform', { origin: running.gatewayUrl, urls: running.urls as EngineUrls, dataDir }); // it runs: all are known
    return async () => {};
  }
  const dataDir = ephemeralFolder();
  const platform = new Platform({
    dataDir,
    port: await freePort(),
    ephemeral: true,
    web: true,
    seed: seedThrough,
    say: (line) => console.error(line),
    onGivenUp: (error) => console.error(error.message),
  });
  try {
    await runSteps(platform.steps());
  } catch (error) {
    await platform.close();
    throw error;
  }
  project.provide('platform', { origin: platform.origin, urls: platform.urls, dataDir });
  return () => platform.close();
}
