import type { ApplicationPlan } from '@bookstream/streams';
import { allOf } from '../platform/owns.ts';
import { planOf } from '../platform/plan-of.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { owned } from './owned.ts';

/** Every application of the shop as it runs, by its id. */
export const applications: ReadonlyMap<string, ApplicationPlan> = new Map(
  allOf(Object.values(owned)).topologies.map((one) => [one.applicationId, planOf(one)]),
);

/** @throws CommandError when there is none */
export function applicationOf(id: string): ApplicationPlan {
  const plan = applications.get(id);
  if (plan !== undefined) return plan;
  throw new CommandError(
    `There is no application ${JSON.stringify(id)}; nothing was done. There are: ${[...applications.keys()].join(', ')}`,
    exitCodes.usage,
  );
}
