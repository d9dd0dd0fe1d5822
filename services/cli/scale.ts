import { InvalidArgumentError } from 'commander';

/** Services that work on topics alone: each can have several instances, or share a process with the others (`worker.ts`). */
export const workingServices = ['books', 'orders', 'stock', 'payments', 'notifications', 'logs'] as const;
export type WorkingService = (typeof workingServices)[number];

/** How many instances of its own a service has. One that is not named runs in the shared worker. */
export type Scale = ReadonlyMap<WorkingService, number>;

const most = 16;

const isWorkingService = (name: string): name is WorkingService =>
  (workingServices as readonly string[]).includes(name);

/** Reads `stock=2`, and adds it to what other options have said. @throws InvalidArgumentError */
export function scaleOf(text: string, before: Scale = new Map()): Scale {
  const [service = '', instances = ''] = text.split('=');
  const count = Number(instances);
  if (!isWorkingService(service) || !/^\d+$/.test(instances) || count < 1 || count > most) {
    throw new InvalidArgumentError(
      `${JSON.stringify(text)} is not a service and its number of instances, such as stock=2. Services: ${workingServices.join(', ')}; instances: 1 to ${most}.`,
    );
  }
  return new Map([...before, [service, count]]);
}

export interface ChildPlan {
  /** Of the instance. */
  readonly name: string;
  readonly args: readonly string[];
}

/** The processes that work on topics: the shared worker with what is not scaled, and each instance of what is. */
export function workersOf(scale: Scale): readonly ChildPlan[] {
  const without = [...scale.keys()].flatMap((service) => ['--without', service]);
  const shared = { name: 'worker', args: ['service', 'worker', ...without] };
  const own = [...scale].flatMap(([service, count]) =>
    Array.from({ length: count }, (_, index) => ({ name: `${service}-${index + 1}`, args: ['service', service] })),
  );
  return scale.size === workingServices.length ? own : [shared, ...own];
}
