import type { Owns } from './owns.ts';
import { runProcess } from './run-process.ts';

/** Runs what a service owns, as one process: its topologies in one worker, its projections beside them. */
export const runService = (service: string, owns: Owns): Promise<void> =>
  runProcess(service, async () => {
    throw new Error(`not there yet: ${owns.topologies.join()}`);
  });
