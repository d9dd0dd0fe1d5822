// From `orderPlace` to CONFIRMED as a shopper's page hears of it, over the API, on a shop of its own: `npm run bench -- order-confirmed [options]`
//   --orders N          measured in each round, after 30 of warm-up (300)     --rounds N   each with the shop started anew (2)
//   --against CHECKOUT  the same orders at the shop of another checkout, in turn, and the ratio: before and after a change in one run. `--against .`
//                       holds this one against itself: what differs then is the machine's noise
//   --interleave        both shops run at the same time and take an order each in turn: each is slower, but what else the machine does meets both
//   --json              one JSON object on stdout
// Orders are placed one after the other at a quiet pace (confirmed-orders.ts). "others' cores" is what the rest of the machine was busy with:
// compare times only while it is near 0.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { root } from '../running.ts';
import { tellError } from '../tell-error.ts';
import { BusyCores } from './busy-cores.ts';
import { type Buying, buyOnceEach, type ConfirmedOrder } from './confirmed-orders.ts';
import { comparison, type Round, type Side } from './confirmed-report.ts';
import { StartedShop } from './started-shop.ts';

const warmUp = 30;

function readOptions() {
  const { values } = parsed();
  const whole = (name: 'orders' | 'rounds'): number => {
    const number = Number(values[name]);
    if (Number.isInteger(number) && number > 0) return number;
    throw new CommandError(
      `--${name} ${values[name]} is no whole number above 0; nothing was measured.`,
      exitCodes.usage,
    );
  };
  const { against, interleave, json } = values;
  return { orders: whole('orders'), rounds: whole('rounds'), against, interleave, json };
}

function parsed() {
  try {
    return parseArgs({
      options: {
        orders: { type: 'string', default: '300' },
        rounds: { type: 'string', default: '2' },
        against: { type: 'string' },
        interleave: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new CommandError(
      `${error instanceof Error ? error.message : String(error)}; nothing was measured.`,
      exitCodes.usage,
    );
  }
}

/** What git calls the state of a checkout, so that figures can be told apart later. */
function revisionOf(checkout: string): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: checkout,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return basename(checkout); // no git here
  }
}

function otherCheckout(given: string): string {
  const checkout = resolve(process.env.INIT_CWD ?? process.cwd(), given); // npm runs us in the checkout's root
  if (existsSync(join(checkout, 'services', 'cli', 'start.mjs'))) return checkout;
  throw new CommandError(
    `--against ${checkout} is no checkout of Bookstream; nothing was measured. Cure: git worktree add ${checkout} COMMIT`,
    exitCodes.precondition,
  );
}

type Measured = Side & { readonly rounds: Round[]; readonly shop: StartedShop };

/** Starts the shops of `sides`, which then take orders in turn, and adds a round to each. */
async function measure(sides: readonly Measured[], orders: number): Promise<void> {
  for (const { shop } of sides) await shop.start();
  const buyers: { readonly side: Measured; readonly buying: Buying; readonly measured: ConfirmedOrder[] }[] = [];
  for (const side of sides)
    buyers.push({ side, buying: await buyOnceEach(side.shop.origin, orders + warmUp), measured: [] });
  for (let done = 0; done < warmUp; done += 1) for (const { buying } of buyers) await buying.next();
  const cores = new BusyCores(sides.map(({ shop }) => shop.pid));
  for (let done = 0; done < orders; done += 1)
    for (const { buying, measured } of buyers) measured.push(await buying.next());
  const { trees, others } = cores.busy;
  for (const [index, { side, buying, measured }] of buyers.entries()) {
    side.rounds.push({ orders: measured, shopCores: trees[index] ?? 0, othersCores: others });
    await buying.end();
  }
  for (const { shop } of sides) await shop.stop();
}

async function main(): Promise<void> {
  const { orders, rounds, against, interleave, json } = readOptions();
  const tell = (line: string): void => console.error(line);
  const checkouts = [
    ...(against === undefined ? [] : [{ name: 'against' as const, checkout: otherCheckout(against) }]),
    { name: 'here' as const, checkout: root },
  ];

  await using cleanup = new AsyncDisposableStack();
  const sides: Measured[] = [];
  for (const { name, checkout } of checkouts) {
    const shop = cleanup.use(await StartedShop.prepare(checkout));
    sides.push({ name, revision: revisionOf(checkout), rounds: [], shop });
  }
  for (let round = 1; round <= rounds; round += 1) {
    // Who begins changes, so that a machine that becomes slower or faster meanwhile is the same to both.
    const turns = round % 2 === 1 ? sides : sides.toReversed();
    for (const running of interleave ? [turns] : turns.map((side) => [side])) {
      const who = running.map(({ name, revision }) => `${name} (${revision})`).join(' and ');
      tell(`round ${round} of ${rounds}, ${who}: starting, then ${orders} orders …`);
      await measure(running, orders);
    }
  }
  if (json) {
    const measured = sides.map(({ name, revision, rounds }) => ({ name, revision, rounds }));
    console.log(JSON.stringify({ orders, rounds, warmUp, sides: measured }));
  } else console.log(comparison(sides));
}

main().catch((error: unknown) => {
  process.exitCode = tellError(error);
});
