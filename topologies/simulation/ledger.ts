import { topics } from '@bookstream/schemas/topics';
import type { NotificationsEvent } from '@bookstream/schemas/types/notifications';
import type { OrdersEvent } from '@bookstream/schemas/types/orders';
import type { CommandOutcome } from '@bookstream/schemas/types/outcomes';
import type { StockEvent } from '@bookstream/schemas/types/stock';
import type { WalletsEvent } from '@bookstream/schemas/types/wallets';
import type { TopologyTestDriver } from '@bookstream/streams';
import type { Asked } from './people.ts';

interface Shelf {
  onHand: number;
  /** Copies by attempt, as long as they are only set aside. */
  readonly reserved: Map<string, number>;
  readonly committed: Map<string, number>;
}

interface Purse {
  toppedUp: bigint;
  readonly held: Map<string, bigint>;
  readonly captured: Map<string, bigint>;
}

export type End = Extract<OrdersEvent, { type: 'OrderConfirmed' | 'OrderRejected' }>;

const total = (amounts: Map<string, number>): number => [...amounts.values()].reduce((sum, amount) => sum + amount, 0);
const totalMinor = (amounts: Map<string, bigint>): bigint =>
  [...amounts.values()].reduce((sum, amount) => sum + amount, 0n);

function got<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}

export const endsOf = (history: readonly OrdersEvent[]): readonly End[] =>
  history.filter((event) => event.type === 'OrderConfirmed' || event.type === 'OrderRejected');

/**
 * Books kept beside the platform: reads what is written as it is written, and holds each event against what the ones before it allow.
 * What stands twice on a ledger topic is a fault; orders.events alone has repeats, which the simulation puts there.
 */
export class Ledger {
  readonly violations: string[] = [];
  readonly orders = new Map<string, OrdersEvent[]>();
  readonly #asked: Asked;
  readonly #shelves = new Map<string, Shelf>();
  readonly #purses = new Map<string, Purse>();
  readonly #ledgerIds = new Set<string>();
  readonly #orderEvents = new Map<string, number>();
  readonly #outcomes = new Map<string, CommandOutcome>();
  readonly #notices = new Map<string, number>();
  readonly #histories = new Map<string, number>();
  readonly #read: () => void;

  constructor(driver: TopologyTestDriver, asked: Asked) {
    this.#asked = asked;
    const stock = driver.outputTopic(topics.stockEvents);
    const wallets = driver.outputTopic(topics.walletsEvents);
    const orders = driver.outputTopic(topics.ordersEvents);
    const outcomes = driver.outputTopic(topics.commandOutcomes);
    const notices = driver.outputTopic(topics.notificationsEvents);
    this.#read = () => {
      for (const event of stock.readValues()) if (event !== null) this.#stock(event);
      for (const event of wallets.readValues()) if (event !== null) this.#wallet(event);
      for (const event of orders.readValues()) if (event !== null) this.#order(event);
      for (const outcome of outcomes.readValues()) if (outcome !== null) this.#outcome(outcome);
      for (const event of notices.readValues()) if (event !== null) this.#notice(event);
    };
  }

  /** Takes in what was written since the last call. */
  read(): void {
    this.#read();
  }

  #expect(holds: boolean, what: string): void {
    if (!holds) this.violations.push(what);
  }

  #once({ type, meta: { eventId } }: StockEvent | WalletsEvent): void {
    this.#expect(!this.#ledgerIds.has(eventId), `${type} ${eventId} was written twice`);
    this.#ledgerIds.add(eventId);
  }

  #stock(event: StockEvent): void {
    this.#once(event);
    const shelf = got(this.#shelves, event.bookId, () => ({ onHand: 0, reserved: new Map(), committed: new Map() }));
    if (event.type === 'StockRestocked') shelf.onHand += event.quantity;
    else if (event.type === 'StockAdjusted') shelf.onHand += event.delta;
    else if ('lineId' in event) {
      const attempt = `${event.orderId}/${event.lineId}/${event.attempt}`;
      if (event.type === 'StockReserved') shelf.reserved.set(attempt, event.quantity);
      else this.#expect(shelf.reserved.delete(attempt), `${event.type} of ${attempt}, which was not set aside`);
      if (event.type === 'StockCommitted') shelf.committed.set(attempt, event.quantity);
    }
    const { onHand, reserved, committed } = event.level;
    const book = `book ${event.bookId}`;
    this.#expect(onHand === shelf.onHand, `${book}: ${onHand} on hand, movements make ${shelf.onHand}`);
    this.#expect(
      reserved === total(shelf.reserved),
      `${book}: ${reserved} reserved, orders hold ${total(shelf.reserved)}`,
    );
    this.#expect(
      committed === total(shelf.committed),
      `${book}: ${committed} committed, orders own ${total(shelf.committed)}`,
    );
    this.#expect(reserved >= 0 && committed >= 0 && reserved + committed <= onHand, `${book}: oversold`);
  }

  #wallet(event: WalletsEvent): void {
    this.#once(event);
    const purse = got(this.#purses, event.userId, () => ({ toppedUp: 0n, held: new Map(), captured: new Map() }));
    const wallet = `wallet ${event.userId}`;
    if (event.type === 'WalletToppedUp') purse.toppedUp += event.amount.amountMinor;
    if (event.type === 'FundsHeld') purse.held.set(event.orderId, event.amount.amountMinor);
    if (event.type === 'HoldReleased' || event.type === 'FundsCaptured') {
      this.#expect(
        purse.held.delete(event.orderId),
        `${wallet}: ${event.type} of ${event.orderId}, which holds nothing`,
      );
    }
    if (event.type === 'FundsCaptured') purse.captured.set(event.orderId, event.amount.amountMinor);
    const balance = purse.toppedUp - totalMinor(purse.captured);
    const { amountMinor: held } = event.held;
    this.#expect(
      event.balance.amountMinor === balance,
      `${wallet}: balance ${event.balance.amountMinor}, movements make ${balance}`,
    );
    this.#expect(held === totalMinor(purse.held), `${wallet}: ${held} held, orders hold ${totalMinor(purse.held)}`);
    this.#expect(held >= 0n && held <= event.balance.amountMinor, `${wallet}: overdrawn`);
    const sum = event.entries.reduce((all, entry) => all + entry.amountMinor, 0n);
    this.#expect(sum === 0n, `${wallet}: a movement whose entries come to ${sum}`);
  }

  #order(event: OrdersEvent): void {
    const { orderId, version, meta } = event;
    const seen = this.#orderEvents.get(meta.eventId);
    this.#expect(
      seen === undefined || seen === version,
      `order ${orderId}: versions ${seen} and ${version} have one id`,
    );
    if (seen !== undefined) return;
    this.#orderEvents.set(meta.eventId, version);
    const history = got(this.orders, orderId, () => []);
    this.#expect(version === history.length + 1, `order ${orderId}: version ${version} after ${history.length}`);
    history.push(event);
    if (event.type === 'OrderConfirmed') this.#price(orderId, history[0]);
  }

  /** Cheaper than the buyer saw is fine, dearer never. */
  #price(orderId: string, placed: OrdersEvent | undefined): void {
    if (placed?.type !== 'OrderPlaced') return;
    const expected = this.#asked.expected.get(orderId) ?? [];
    for (const [index, { unitPrice }] of placed.lines.entries()) {
      const most = expected[index]?.amountMinor ?? 0n;
      this.#expect(
        unitPrice.amountMinor <= most,
        `order ${orderId}: ${unitPrice.amountMinor} a copy, ${most} were shown`,
      );
    }
  }

  #outcome(outcome: CommandOutcome): void {
    const key = `${outcome.commandId}/${outcome.payloadHash}`;
    const first = this.#outcomes.get(key);
    this.#expect(this.#asked.commands.has(key), `${outcome.type} of a command that nobody sent`);
    this.#expect(outcome.replayed === (first !== undefined), `command ${key}: more than one outcome is no replay`);
    this.#expect(
      first === undefined || first.type === outcome.type,
      `command ${key}: ${first?.type}, then ${outcome.type}`,
    );
    this.#expect(
      outcome.type === 'CommandAccepted' || outcome.errors.length > 0,
      `command ${key}: refused without a code`,
    );
    if (first === undefined) this.#outcomes.set(key, outcome);
  }

  #notice(event: NotificationsEvent): void {
    const { userId, version } = event;
    const before = this.#histories.get(userId) ?? 0;
    this.#expect(version === before + 1, `notifications of ${userId}: version ${version} after ${before}`);
    this.#histories.set(userId, version);
    if (event.type !== 'NotificationRaised' || event.orderId === null) return;
    this.#notices.set(event.orderId, (this.#notices.get(event.orderId) ?? 0) + 1);
  }

  /** When nothing is under way any more: every order has ended once and holds nothing but what it bought; everybody was answered. */
  atRest(): readonly string[] {
    const wrong = [...this.violations];
    for (const key of this.#asked.commands) if (!this.#outcomes.has(key)) wrong.push(`command ${key} has no outcome`);
    for (const orderId of this.#asked.expected.keys()) wrong.push(...this.#orderAtRest(orderId));
    return wrong;
  }

  #orderAtRest(orderId: string): readonly string[] {
    const history = this.orders.get(orderId) ?? [];
    const [placed] = history;
    const ends = endsOf(history);
    const confirmed = ends[0]?.type === 'OrderConfirmed' && placed?.type === 'OrderPlaced' ? placed : null;
    const has = {
      ends: ends.length,
      notices: this.#notices.get(orderId) ?? 0,
      reserved: this.#copiesOf(orderId, 'reserved'),
      committed: this.#copiesOf(orderId, 'committed'),
      held: this.#centsOf(orderId, 'held'),
      captured: this.#centsOf(orderId, 'captured'),
    };
    const should = {
      ends: 1,
      notices: 1,
      reserved: 0,
      committed: confirmed?.lines.reduce((sum, line) => sum + line.quantity, 0) ?? 0,
      held: 0n,
      captured: confirmed?.total.amountMinor ?? 0n,
    };
    return (Object.keys(should) as (keyof typeof should)[]) // the members just written down
      .filter((what) => has[what] !== should[what])
      .map(
        (what) => `order ${orderId}, ${ends[0]?.type ?? 'without an end'}: ${what} ${has[what]}, not ${should[what]}`,
      );
  }

  #copiesOf(orderId: string, what: 'reserved' | 'committed'): number {
    const attempts = [...this.#shelves.values()].flatMap((shelf) => [...shelf[what]]);
    return attempts.reduce((sum, [attempt, copies]) => sum + (attempt.startsWith(`${orderId}/`) ? copies : 0), 0);
  }

  #centsOf(orderId: string, what: 'held' | 'captured'): bigint {
    return [...this.#purses.values()].reduce((sum, purse) => sum + (purse[what].get(orderId) ?? 0n), 0n);
  }
}
