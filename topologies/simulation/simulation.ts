import { topics } from '@bookstream/schemas/topics';
import { StreamsBuilder, type Topology, TopologyTestDriver } from '@bookstream/streams';
import * as catalogue from '../catalogue/topology.ts';
import * as notifications from '../notifications/topology.ts';
import { react } from '../order-process/react.ts';
import * as orderProcess from '../order-process/topology.ts';
import * as orderView from '../order-view/topology.ts';
import { decideLine } from '../stock/stock.ts';
import * as stock from '../stock/topology.ts';
import * as wallet from '../wallet/topology.ts';
import { decideHold } from '../wallet/wallet.ts';
import { type Chance, chanceOf } from './chance.ts';
import { endsOf, Ledger } from './ledger.ts';
import { peopleOf } from './people.ts';

/** The rules that a planted fault replaces. */
export interface Rules {
  readonly decideLine: typeof decideLine;
  readonly decideHold: typeof decideHold;
  readonly react: typeof react;
}

export const realRules: Rules = { decideLine, decideHold, react };

export interface Verdict {
  /** What is wrong; empty when all laws held. */
  readonly wrong: readonly string[];
  /** How many orders ended in which way: CONFIRMED or why they were rejected. */
  readonly ends: ReadonlyMap<string, number>;
}

const topologyOf = (build: (builder: StreamsBuilder) => void): Topology => {
  const builder = new StreamsBuilder();
  build(builder);
  return builder.build();
};

/** Topics whose records may come again. Not the ledgers: their readers count on each event once, and so does ours. */
const repeatable = [
  topics.booksCommands,
  topics.ordersCommands,
  topics.stockCommands,
  topics.walletsCommands,
  topics.reservationsEvents,
  topics.paymentsEvents,
  topics.ordersEvents,
];
const minute = 60_000;
const startMs = 1_764_000_000_000;
const orderCount = 25;

/**
 * All topologies of the shop over one broker in memory. A seed chooses who does what, which record is delivered next (the order inside a
 * partition is kept), which command or event comes again, what crashes, what is away for a while, and how time passes.
 * @throws what a topology throws: with the real rules none may
 */
export function simulate(seed: number, rules: Rules = realRules): Verdict {
  const chance = chanceOf(seed);
  using driver = driverOf(rules);
  const people = peopleOf(driver, chance, seed);
  const ledger = new Ledger(driver, people.asked);
  const verdict = (wrong: readonly string[]): Verdict => ({ wrong, ends: endsBy(ledger) });

  const deliverAll = (away: string | null = null): void => {
    while (deliver(driver, chance, away)) ledger.read();
  };

  people.stockTheShop();
  deliverAll();
  for (let index = 0; index < 3; index += 1) {
    people.restock();
    people.topUp();
  }
  const moves: readonly (readonly [weight: number, move: () => void])[] = [
    [3, people.placeOrder],
    [1.5, people.restock],
    [1.5, people.topUp],
    [0.3, people.adjust],
    [0.3, people.reuseKey],
    [0.5, people.changePrice],
    [0.4, people.withdrawOrReinstate],
    [5, () => repeat(driver, chance)],
    [0.5, () => driver.crash(chance.some([undefined, 'before-commit', 'after-commit']), chance.some(applicationIds))],
    [0.5, () => driver.advanceWallClock(chance.upTo(6 * minute), { run: false })],
    [86.4, () => deliver(driver, chance, null)],
  ];
  while (people.asked.expected.size < orderCount) {
    const move = chance.weighted(moves);
    move();
    ledger.read();
    if (ledger.violations.length > 0) return verdict(ledger.violations);
  }
  deliverAll();

  // One of those who answer is away for longer than an order may take: its orders are given up, not forgotten.
  const away = chance.some([stock.applicationId, wallet.applicationId]);
  for (let index = 0; index < 3; index += 1) people.placeOrder();
  deliverAll(away);
  driver.advanceWallClock(6 * minute, { run: false });
  deliverAll(away);
  const undecided = [...ledger.orders].filter(([, history]) => endsOf(history).length === 0);
  const tooLate = undecided.map(([orderId]) => `order ${orderId} has no end, and its deadline has passed`);

  // It comes back: what it still gives is given back.
  deliverAll();
  driver.advanceWallClock(6 * minute, { run: false });
  deliverAll();
  return verdict([...ledger.atRest(), ...tooLate, ...viewsThatDisagree(driver, ledger)]);
}

const applicationIds = [catalogue, orderProcess, stock, wallet, orderView, notifications].map(
  (topology) => topology.applicationId,
);

const driverOf = (rules: Rules): TopologyTestDriver =>
  new TopologyTestDriver(
    {
      [catalogue.applicationId]: topologyOf(catalogue.build),
      [orderProcess.applicationId]: topologyOf((builder) => orderProcess.build(builder, rules.react)),
      [stock.applicationId]: topologyOf((builder) => stock.build(builder, rules.decideLine)),
      [wallet.applicationId]: topologyOf((builder) => wallet.build(builder, rules.decideHold)),
      [orderView.applicationId]: topologyOf(orderView.build),
      [notifications.applicationId]: topologyOf(notifications.build),
    },
    { partitions: 2, startWallClockMs: startMs, onFailure: 'fail' },
  );

/** Delivers one record to anyone but the one who is away. @returns false when nothing waits */
function deliver(driver: TopologyTestDriver, chance: Chance, away: string | null): boolean {
  const reachable = driver.waiting().filter((step) => step.application !== away);
  if (reachable.length === 0) return false;
  driver.step(() => chance.some(reachable));
  return true;
}

/** Any record that was ever written comes again, later than it should. */
function repeat(driver: TopologyTestDriver, chance: Chance): void {
  const records = driver.broker.records(chance.some(repeatable).name);
  if (records.length === 0) return;
  const { topic, partition, key, value, headers } = chance.some(records);
  driver.broker.append([{ topic, partition, key, value, headers, timestamp: driver.nowMs }]);
}

function endsBy(ledger: Ledger): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const end of [...ledger.orders.values()].flatMap(endsOf)) {
    const how = end.type === 'OrderConfirmed' ? 'CONFIRMED' : end.reason;
    counts.set(how, (counts.get(how) ?? 0) + 1);
  }
  return counts;
}

/** orders.view must say of every order what its events say. */
function viewsThatDisagree(driver: TopologyTestDriver, ledger: Ledger): readonly string[] {
  const views = new Map(driver.outputTopic(topics.ordersView).readKeyValues());
  return [...ledger.orders].flatMap(([orderId, history]) => {
    const view = views.get(orderId);
    const end = history.some((event) => event.type === 'OrderConfirmed') ? 'CONFIRMED' : 'REJECTED';
    return view?.status === end && view.version === history.length
      ? []
      : [`view of ${orderId}: ${view?.status} ${view?.version}, events: ${end} ${history.length}`];
  });
}
