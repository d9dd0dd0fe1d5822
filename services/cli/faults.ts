import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '@bookstream/topologies/simulation/chance';
import type { Discovery, Instance } from '../discovery/discovery.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import type { Running } from './running.ts';

/** A running shop, and what a fault may decide. */
export interface Shop {
  readonly running: Running;
  readonly dataDir: string;
  readonly discovery: Discovery;
  readonly chance: Chance;
  /** Notes what was done. */
  readonly say: (line: string) => void;
  /** What is away comes back, and what was started ends, when it is aborted. */
  readonly signal: AbortSignal;
}

export interface Fault {
  readonly name: string;
  readonly what: string;
  /**
   * Resolves when nothing more is done to the shop; it may still be recovering.
   * @returns instances that died: they count as back when another process has taken their place
   * @throws CommandError – this shop has nothing that it could be done to
   */
  throwAt(shop: Shop): Promise<readonly Instance[]>;
}

/** Topologies give a silent member's tasks away after 10 s (`sessionTimeoutMs` in the engine's application-run.ts), Kafka a silent broker's after 9. */
const sessionSeconds = 10;
const stormSeconds = 60;
const stormEveryMs = 3_000;

const kill =
  (service: string) =>
  async (shop: Shop): Promise<readonly Instance[]> => {
    const victim = await someInstance(shop, service);
    process.kill(victim.pid, 'SIGKILL');
    shop.say(`${victim.instance} (process ${victim.pid}) was killed`);
    return [victim];
  };

async function someInstance({ discovery, chance }: Shop, service: string): Promise<Instance> {
  const instances = await discovery.listInstances(service);
  if (instances.length === 0)
    throw new CommandError(
      `No ${service} is registered, so nothing was done. Cure: \`npm run bookstream -- status\` shows what runs.`,
      exitCodes.precondition,
    );
  return chance.some(instances);
}

function engine({ running, chance }: Shop, name: string): { readonly name: string; readonly pid: number } {
  const found = (running.engines ?? []).filter((one) => one.name === name || one.name.startsWith(`${name} `));
  if (found.length > 0) return chance.some(found);
  throw new CommandError(
    `${name} was not started by this platform, so nothing was done to it. Cure: run the platform without the variable that names another.`,
    exitCodes.precondition,
  );
}

async function freeze(shop: Shop, name: string, pid: number, seconds: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    shop.say(`${name} (process ${pid}) is frozen for ${seconds} s`);
    await sleep(seconds * 1_000, undefined, { signal: shop.signal });
  } finally {
    process.kill(pid, 'SIGCONT');
    shop.say(`${name} goes on`);
  }
}

function someBroker(shop: Shop): { readonly name: string; readonly pid: number } {
  const broker = engine(shop, 'Kafka');
  if (broker.name !== 'Kafka') return broker;
  throw new CommandError(
    'Kafka has one broker here, and nothing could go on without it; nothing was done. Cure: KAFKA_BROKERS=3 npm start -- --reset',
    exitCodes.precondition,
  );
}

/** A service beside the worker, which shares the work of its topologies: joining regroups them, and so does its end, when its session is over. */
async function guest(shop: Shop, number: number): Promise<void> {
  const service = shop.chance.some(['stock', 'payments', 'orders']);
  const instance = `${service}-guest-${number}`;
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bookstream.ts'), 'service', service], {
    stdio: 'ignore',
    env: {
      ...process.env,
      ...shop.running.urls,
      BOOKSTREAM_DATA: shop.dataDir,
      BOOKSTREAM_INSTANCE: instance,
      HEALTH_PORT: '0',
      PORT: '0',
    },
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const dies = shop.chance.of(0.5);
  try {
    while (!(await shop.discovery.listInstances(service)).some((one) => one.instance === instance)) {
      if (child.exitCode !== null)
        throw new CommandError(`${instance} ended with code ${child.exitCode} before it had joined`, exitCodes.failed);
      await sleep(200, undefined, { signal: shop.signal });
    }
    shop.say(`${instance} joined`);
    await sleep(stormEveryMs, undefined, { signal: shop.signal });
  } finally {
    child.kill(dies ? 'SIGKILL' : 'SIGTERM');
    await ended;
    shop.say(`${instance} ${dies ? 'was killed' : 'left'}`);
    await rm(join(shop.dataDir, 'state', instance), { recursive: true, force: true });
  }
}

export const faults: readonly Fault[] = [
  { name: 'kill-worker', what: 'SIGKILL of a worker; the platform starts it again', throwAt: kill('worker') },
  {
    name: 'freeze-worker',
    what: `SIGSTOP of a worker for 2 to 10 s more than its session of ${sessionSeconds} s, then SIGCONT: what it does then is refused`,
    async throwAt(shop) {
      const { instance, pid } = await someInstance(shop, 'worker');
      await freeze(shop, instance, pid, sessionSeconds + 2 + shop.chance.upTo(9));
      return [];
    },
  },
  { name: 'kill-gateway', what: 'SIGKILL of a gateway; the platform starts it again', throwAt: kill('gateway') },
  {
    name: 'kill-users',
    what: 'SIGKILL of the service of accounts; the platform starts it again',
    throwAt: kill('users'),
  },
  {
    name: 'kill-broker',
    what: 'SIGKILL of one of three brokers; it stays away until the platform is started anew',
    async throwAt(shop) {
      const { name, pid } = someBroker(shop);
      process.kill(pid, 'SIGKILL');
      shop.say(`${name} (process ${pid}) was killed, and stays away until the next start`);
      return [];
    },
  },
  {
    name: 'freeze-broker',
    what: 'SIGSTOP of one of three brokers until others lead its partitions, for 15 to 25 s, then SIGCONT',
    async throwAt(shop) {
      const { name, pid } = someBroker(shop);
      await freeze(shop, name, pid, 15 + shop.chance.upTo(11));
      return [];
    },
  },
  {
    name: 'registry-away',
    what: 'SIGSTOP of the registry of schemas for 10 to 30 s: known schemas go on, new ones wait',
    async throwAt(shop) {
      const { name, pid } = engine(shop, 'the registry');
      await freeze(shop, name, pid, 10 + shop.chance.upTo(21));
      return [];
    },
  },
  {
    name: 'rebalance-storm',
    what: `for ${stormSeconds} s services join the worker's groups, one after another, and leave or die ${stormEveryMs / 1_000} s later`,
    async throwAt(shop) {
      const end = performance.now() + stormSeconds * 1_000;
      for (let number = 1; performance.now() < end; number += 1) await guest(shop, number);
      await sleep(sessionSeconds * 1_000, undefined, { signal: shop.signal });
      return [];
    },
  },
];
