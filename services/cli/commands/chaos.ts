import { setTimeout as sleep } from 'node:timers/promises';
import { chanceOf } from '@bookstream/topologies/simulation/chance';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { Discovery, type Instance } from '../../discovery/discovery.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { faults } from '../faults.ts';
import { demandUrl } from '../options.ts';
import { dataFolder, useRunning } from '../running.ts';
import { isReady } from '../supervisor.ts';
import { table } from '../table.ts';

const backWithinMs = 120_000;
/** A process that was frozen says for a moment what it said before. */
const steadyMs = 5_000;

interface ChaosOptions {
  readonly fault: string;
  readonly seed: number;
  readonly json: boolean;
}

export const register = (program: Command): void => {
  program
    .command('chaos')
    .description('throw a fault at the running shop, and see whether it recovers')
    .addOption(
      new Option('--fault <name>', 'see below').choices(faults.map(({ name }) => name)).makeOptionMandatory(true),
    )
    .option('--seed <n>', 'decides who is hit and for how long; without it the clock', seedOf, Date.now() % 1_000_000)
    .option('--json', 'the result as one JSON document on standard output', false)
    .addHelpText(
      'after',
      `
Faults:
${table(faults.map(({ name, what }) => [`  ${name}`, what]))}

It waits until everything that was registered before is ready again, for ${steadyMs / 1_000} s on end: 0; or 5 when something is not within ${backWithinMs / 1_000} s.
Orders in flight are finished by the shop itself. That nothing is lost or doubled by such faults is proved by the full
forms \`npm run chaos -- crash\` and \`npm run chaos -- crash-matrix\`.

Examples:
  npm run bookstream -- chaos --fault kill-worker
  npm run bookstream -- chaos --fault freeze-worker --seed 7 --json`,
    )
    .action(throwFault);
};

function seedOf(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed)) throw new InvalidArgumentError(`a seed is a whole number, not ${JSON.stringify(text)}.`);
  return seed;
}

async function throwFault({ fault: name, seed, json }: ChaosOptions): Promise<void> {
  const running = useRunning();
  const fault = faults.find((one) => one.name === name);
  if (running === null || fault === undefined)
    throw new CommandError(
      'No platform runs on this data folder, and faults are thrown at its processes only; nothing was done. Cure: npm start',
      exitCodes.precondition,
    );
  const began = performance.now();
  const done: { readonly atMs: number; readonly did: string }[] = [];
  const say = (did: string): void => {
    done.push({ atMs: Math.round(performance.now() - began), did });
    console.error(did);
  };
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
  const discovery = new Discovery({ redisUrl: demandUrl('REDIS_URL') });
  try {
    console.error(`${name}, seed ${seed}`);
    const before = await discovery.listInstances();
    const shop = { running, dataDir: dataFolder(), discovery, chance: chanceOf(seed), say, signal: interrupt.signal };
    const died = await fault.throwAt(shop);
    const missing = await untilReady(discovery, before, died, interrupt.signal);
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    if (json)
      console.log(JSON.stringify({ fault: name, seed, done, recovered: missing.length === 0, missing, seconds }));
    else if (missing.length === 0)
      console.log(`all ${before.length} processes are ready (${seconds} s after the start)`);
    else console.log(`not ready after ${seconds} s:\n${missing.join('\n')}\nLook: npm run bookstream -- status`);
    process.exitCode = missing.length === 0 ? exitCodes.ok : exitCodes.partial;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    throw new CommandError('Interrupted: what was frozen goes on, what was started has ended.', exitCodes.interrupted);
  } finally {
    await discovery.close();
  }
}

/** @returns what is not as before when the time is over, for people */
async function untilReady(
  discovery: Discovery,
  before: readonly Instance[],
  died: readonly Instance[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const deadline = performance.now() + backWithinMs;
  let unreadyAt = performance.now();
  for (;;) {
    const there = await discovery.listInstances();
    const states = await Promise.all(
      before.map(async ({ service, instance }) => {
        const one = there.find((other) => other.service === service && other.instance === instance);
        if (one === undefined) return `${instance}: not registered`;
        const wasKilled = died.some((dead) => dead.service === service && dead.pid === one.pid);
        if (wasKilled) return `${instance}: process ${one.pid} was killed, and no other is there`;
        return isReady(one.healthUrl).then(
          () => null,
          (error: unknown) => `${instance}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }),
    );
    const missing = states.filter((state) => state !== null);
    const now = performance.now();
    if (missing.length > 0) unreadyAt = now;
    if (now - unreadyAt > steadyMs || (missing.length > 0 && now > deadline)) return missing;
    await sleep(500, undefined, { signal });
  }
}
