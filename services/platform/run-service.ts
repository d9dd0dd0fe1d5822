import { hostProjections } from './host-projections.ts';
import { hostTopologies } from './host-topologies.ts';
import type { Owns } from './owns.ts';
import { runProcess } from './run-process.ts';

/** Runs what a service owns, as one process: its topologies in one worker, its projections beside them. */
export const runService = (service: string, owns: Owns): Promise<void> =>
  runProcess(service, async (context) => {
    const [queries] = await Promise.all([
      hostTopologies(context, owns.topologies),
      hostProjections(context, owns.projections),
    ]);
    return {
      url: null,
      details: {
        applications: owns.topologies.map((one) => one.applicationId).join(' '),
        ...queries,
        projections: owns.projections.map((one) => one.name).join(' '),
      },
    };
  });
