import { allOf } from '../platform/owns.ts';
import { runService } from '../platform/run-service.ts';
import { owned } from './owned.ts';
import { type WorkingService, workingServices } from './scale.ts';

/**
 * All topologies and projections in one process: what a laptop wants. Each stays the application it is elsewhere.
 * @param without services that run in processes of their own
 */
export const main = (without: readonly WorkingService[] = []): Promise<void> =>
  runService('worker', allOf(workingServices.filter((name) => !without.includes(name)).map((name) => owned[name])));
