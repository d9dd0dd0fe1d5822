import { topics } from '@bookstream/schemas/topics';
import type { OrdersEvent } from '@bookstream/schemas/types/orders';
import type { StockEvent } from '@bookstream/schemas/types/stock';
import type { WalletsEvent } from '@bookstream/schemas/types/wallets';
import type { TopologyTestDriver } from '@bookstream/streams';

interface Shelf {
  received: number;
  /** Copies by attempt, as long as they are only set aside. */
  readonly reserved: Map<string, number>;
  readonly committed: Map<string, number>;
}

interface Purse {
  toppedUp: bigint;
  readonly held: Map<string, bigint>;
  readonly captured: Map<string, bigint>;
}

const total = (amounts: Map<string, number>): number => [...amounts.values()].reduce((sum, amount) => sum + amount, 0);
const totalMinor = (amounts: Map<string, bigint>): bigint =>
  [...amounts.values()].reduce((sum, amount) => sum + amount, 0n);

/**
 * Books kept beside the platform: reads the events as they are written and holds each against what the ones before it allow.
 * An event that comes twice (the simulation repeats some) counts once.
 */
export class Ledger {
  readonly violations: string[] = [];
  readonly orders = new Map<string, OrdersEvent[]>();
  readonly #shelves = new Map<string, Shelf>();
  readonly #purses = new Map<string, Purse>();
  readonly #seen = new Set<string>();
  readonly #read: () => void;

  constructor(driver: TopologyTestDriver) {
    const stock = driver.outputTopic(topics.stockEvents);
    const wallets = driver.outputTopic(topics.walletsEvents);
    const orders = driver.outputTopic(topics.ordersEvents);
    this.#read = () => {
      for (const event of stock.readValues()) if (event !== null && this.#first(event)) this.#stock(event);
      for (const event of wallets.readValues()) if (event !== null && this.#first(event)) this.#wallet(event);
      for (const event of orders.readValues()) if (event !== null && this.#first(event)) this.#order(event);
    };
  }

  /** Takes in what was written since the last call. */
  read(): void {
    this.#read();
  }

  #first(event: { readonly meta: { readonly eventId: string } }): boolean {
    const { eventId } = event.meta;
    if (this.#seen.has(eventId)) return false;
    this.#seen.add(eventId);
    return true;
  }

  #expect(holds: boolean, what: string): void {
    if (!holds) this.violations.push(what);
  }

  #stock(event: StockEvent): void {
    const shelf = this.#shelf(event.bookId);
    if (event.type === 'StockRestocked') shelf.received += event.quantity;
    if (event.type === 'StockReserved' || event.type === 'StockReleased' || event.type === 'StockCommitted') {
      const attempt = `${event.orderId}/${event.lineId}/${event.attempt}`;
      if (event.type === 'StockReserved') shelf.reserved.set(attempt, event.quantity);
      else this.#expect(shelf.reserved.delete(attempt), `${event.type} of ${attempt}, which was not set aside`);
      if (event.type === 'StockCommitted') shelf.committed.set(attempt, event.quantity);
    }
    const { onHand, reserved, committed } = event.level;
    this.#expect(onHand === shelf.received, `book ${event.bookId}: ${onHand} on hand, ${shelf.received} came in`);
    this.#expect(
      reserved === total(shelf.reserved),
      `book ${event.bookId}: ${reserved} reserved, orders hold ${total(shelf.reserved)}`,
    );
    this.#expect(
      committed === total(shelf.committed),
      `book ${event.bookId}: ${committed} committed, orders own ${total(shelf.committed)}`,
    );
    this.#expect(reserved >= 0 && committed >= 0 && reserved + committed <= onHand, `book ${event.bookId}: oversold`);
  }

  #wallet(event: WalletsEvent): void {
    const purse = this.#purse(event.userId);
    if (event.type === 'WalletToppedUp') purse.toppedUp += event.amount.amountMinor;
    if (event.type === 'FundsHeld') purse.held.set(event.holdId, event.amount.amountMinor);
    if (event.type === 'HoldReleased' || event.type === 'FundsCaptured') {
      this.#expect(purse.held.delete(event.holdId), `${event.type} of hold ${event.holdId}, which is not held`);
    }
    if (event.type === 'FundsCaptured') purse.captured.set(event.holdId, event.amount.amountMinor);
    const balance = purse.toppedUp - totalMinor(purse.captured);
    this.#expect(
      event.balance.amountMinor === balance,
      `wallet ${event.userId}: balance ${event.balance.amountMinor}, should be ${balance}`,
    );
    this.#expect(
      event.held.amountMinor === totalMinor(purse.held),
      `wallet ${event.userId}: ${event.held.amountMinor} held, holds are ${totalMinor(purse.held)}`,
    );
    this.#expect(
      event.held.amountMinor >= 0n && event.held.amountMinor <= event.balance.amountMinor,
      `wallet ${event.userId}: overdrawn`,
    );
    const sum = event.entries.reduce((all, entry) => all + entry.amountMinor, 0n);
    this.#expect(sum === 0n, `wallet ${event.userId}: a movement whose entries come to ${sum}`);
  }

  #order(event: OrdersEvent): void {
    const history = this.orders.get(event.orderId) ?? [];
    this.#expect(
      event.version === history.length + 1,
      `order ${event.orderId}: version ${event.version} after ${history.length}`,
    );
    this.orders.set(event.orderId, [...history, event]);
  }

  /** When nothing is under way any more: every order has ended once and holds nothing but what it bought. */
  atRest(): readonly string[] {
    const wrong = [...this.violations];
    let copies = 0;
    let paid = 0n;
    for (const [orderId, history] of this.orders) {
      const ends = history.filter((event) => event.type === 'OrderConfirmed' || event.type === 'OrderRejected');
      if (ends.length !== 1) wrong.push(`order ${orderId} has ${ends.length} ends`);
      const placed = history[0];
      if (ends[0]?.type !== 'OrderConfirmed' || placed?.type !== 'OrderPlaced') continue;
      copies += placed.lines.reduce((sum, line) => sum + line.quantity, 0);
      paid += placed.total.amountMinor;
    }
    const shelves = [...this.#shelves.values()];
    const purses = [...this.#purses.values()];
    const reserved = shelves.reduce((sum, shelf) => sum + total(shelf.reserved), 0);
    const committed = shelves.reduce((sum, shelf) => sum + total(shelf.committed), 0);
    const held = purses.reduce((sum, purse) => sum + totalMinor(purse.held), 0n);
    const captured = purses.reduce((sum, purse) => sum + totalMinor(purse.captured), 0n);
    if (reserved !== 0) wrong.push(`${reserved} copies are still set aside`);
    if (committed !== copies) wrong.push(`${committed} copies are committed, confirmed orders bought ${copies}`);
    if (held !== 0n) wrong.push(`${held} is still held`);
    if (captured !== paid) wrong.push(`${captured} was captured, confirmed orders cost ${paid}`);
    return wrong;
  }

  #shelf(bookId: string): Shelf {
    const shelf = this.#shelves.get(bookId) ?? { received: 0, reserved: new Map(), committed: new Map() };
    this.#shelves.set(bookId, shelf);
    return shelf;
  }

  #purse(userId: string): Purse {
    const purse = this.#purses.get(userId) ?? { toppedUp: 0n, held: new Map(), captured: new Map() };
    this.#purses.set(userId, purse);
    return purse;
  }
}
