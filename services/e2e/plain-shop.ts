/** A number in [0, 1) from a seed (mulberry32), the same on every machine. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface PlannedBook {
  readonly name: string;
  readonly copies: number;
  readonly priceMinor: number;
}

export interface PlannedShopper {
  readonly name: string;
  readonly topUpMinor: number;
}

export interface PlannedOrder {
  readonly shopper: string;
  readonly lines: readonly { readonly book: string; readonly quantity: number }[];
}

export interface Plan {
  readonly books: readonly PlannedBook[];
  readonly shoppers: readonly PlannedShopper[];
  readonly orders: readonly PlannedOrder[];
  /** Names of books of which one more copy comes, at any time. */
  readonly deliveries: readonly string[];
}

/**
 * Orders whose outcome in sum does not hang on who comes first: shelves and wallets are ample or hopeless, and where a shelf is scarce all who
 * want it are alike. So one serial run tells what any interleaving, with any number of crashes, must come to.
 */
export function planOrders(seed: number, count: number, deliveryCount = 0): Plan {
  const random = seeded(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T; // never empty here
  const ample: PlannedBook[] = Array.from({ length: 12 }, (_, i) => ({
    name: `ample-${i}`,
    copies: count * 9,
    priceMinor: 500 + Math.floor(random() * 2_000),
  }));
  const soldOut: PlannedBook = { name: 'sold-out', copies: 0, priceMinor: 900 };
  const scarce: PlannedBook = { name: 'scarce', copies: 7, priceMinor: 1_100 };
  const rich: PlannedShopper[] = Array.from({ length: 8 }, (_, i) => ({
    name: `rich-${i}`,
    topUpMinor: count * 30_000,
  }));
  const poor: PlannedShopper = { name: 'poor', topUpMinor: 100 };
  const collector: PlannedShopper = { name: 'collector', topUpMinor: count * 30_000 };

  const basket = () => {
    const books = new Set(Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(ample).name));
    return [...books].map((book) => ({ book, quantity: 1 + Math.floor(random() * 3) }));
  };
  const orders = Array.from({ length: count }, (): PlannedOrder => {
    const draw = random();
    if (draw < 0.08) return { shopper: collector.name, lines: [{ book: scarce.name, quantity: 1 }] };
    if (draw < 0.18) return { shopper: poor.name, lines: basket() };
    if (draw < 0.28) return { shopper: pick(rich).name, lines: [...basket(), { book: soldOut.name, quantity: 1 }] };
    return { shopper: pick(rich).name, lines: basket() };
  });
  const deliveries = Array.from({ length: deliveryCount }, (_, i) => `ample-${i % ample.length}`);
  return { books: [...ample, soldOut, scarce], shoppers: [...rich, poor, collector], orders, deliveries };
}

export interface Outcome {
  /** Per book, after the last order: copies on hand (nothing ships here) and copies committed to confirmed orders. */
  readonly stock: ReadonlyMap<string, { readonly onHand: number; readonly committed: number }>;
  /** Per shopper, minor units left after the last capture. */
  readonly balances: ReadonlyMap<string, number>;
  readonly confirmed: number;
  readonly rejected: number;
}

/** The shop as twenty lines of plain code: one order after the other, all or nothing. */
export function runPlainShop(plan: Plan): Outcome {
  const prices = new Map(plan.books.map((book) => [book.name, book.priceMinor]));
  const stock = new Map(plan.books.map((book) => [book.name, { onHand: book.copies, committed: 0 }]));
  const balances = new Map(plan.shoppers.map((shopper) => [shopper.name, shopper.topUpMinor]));
  for (const book of plan.deliveries) {
    const shelf = stock.get(book);
    if (shelf) shelf.onHand += 1;
  }
  let confirmed = 0;
  for (const order of plan.orders) {
    const total = order.lines.reduce((sum, line) => sum + (prices.get(line.book) ?? 0) * line.quantity, 0);
    const balance = balances.get(order.shopper) ?? 0;
    const shelves = order.lines.map((line) => ({ line, shelf: stock.get(line.book) }));
    const enough = shelves.every(({ line, shelf }) => shelf && shelf.onHand - shelf.committed >= line.quantity);
    if (!enough || balance < total) continue;
    for (const { line, shelf } of shelves) if (shelf) shelf.committed += line.quantity;
    balances.set(order.shopper, balance - total);
    confirmed += 1;
  }
  return { stock, balances, confirmed, rejected: plan.orders.length - confirmed };
}
