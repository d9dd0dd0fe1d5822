import { bookIdOf, commandIdOf, lineIdOf, orderIdOf, uuidv5 } from '@bookstream/schemas/ids';
import { eur, type Money } from '@bookstream/schemas/money';
import { payloadHashOf } from '@bookstream/schemas/payload-hash';
import { topics } from '@bookstream/schemas/topics';
import type { BookDetails } from '@bookstream/schemas/types/books';
import type { Meta } from '@bookstream/schemas/types/common';
import type { WalletsCommand } from '@bookstream/schemas/types/wallets';
import type { TopologyTestDriver } from '@bookstream/streams';
import type { Chance } from './chance.ts';

const isbns = ['9780000000001', '9780000000002', '9780000000003', '9780000000004'];

const detailsOf = (isbn13: string): BookDetails => ({
  isbn13,
  title: `Book ${isbn13}`,
  authors: [],
  description: '',
  publisher: null,
  publishedYear: null,
  language: 'en',
  pages: null,
  subjects: [],
});

/** What people have asked for so far: the ledger holds it against what came of it. */
export interface Asked {
  /** `commandId/payloadHash` of every command of a person. */
  readonly commands: Set<string>;
  /** What the buyer of an order had seen as the price of each line, by orderId. */
  readonly expected: Map<string, readonly Money[]>;
}

/** The people of the shop: each function is one thing somebody does, sent but not delivered yet. */
export function peopleOf(driver: TopologyTestDriver, chance: Chance, seed: number) {
  const orders = driver.inputTopic(topics.ordersCommands);
  const stock = driver.inputTopic(topics.stockCommands);
  const wallets = driver.inputTopic(topics.walletsCommands);
  const books = driver.inputTopic(topics.booksCommands);
  const named = (what: string): string => uuidv5('00000000-0000-4000-8000-000000000000', what, seed);
  const shoppers = ['ada', 'grace', 'linus'].map(named);
  const bookIds = isbns.map(bookIdOf);
  /** As the page shows it, which may be later or earlier than what order-process knows. */
  const shown = new Map(bookIds.map((bookId) => [bookId, eur(700n)]));
  const topUps: WalletsCommand[] = [];
  const asked: Asked = { commands: new Set(), expected: new Map() };
  let serial = 0;

  const noted = <C extends { readonly meta: Meta; readonly payloadHash: string }>(command: C): C => {
    asked.commands.add(`${command.meta.commandId}/${command.payloadHash}`);
    return command;
  };
  const command = (actor: string): { meta: Meta; payloadHash: string } => {
    serial += 1;
    const commandId = commandIdOf(actor, 'simulated', String(serial));
    const ids = { eventId: commandId, commandId, correlationId: commandId, causationId: commandId };
    return noted({ meta: { ...ids, actor, occurredAt: driver.nowMs }, payloadHash: payloadHashOf(serial) });
  };

  return {
    asked,

    stockTheShop(): void {
      for (const isbn13 of isbns) {
        const bookId = bookIdOf(isbn13);
        const price = shown.get(bookId) ?? eur(0n);
        books.send(bookId, { type: 'CreateBook', ...command('admin'), bookId, details: detailsOf(isbn13), price });
      }
    },

    /** One or two books; now and then one that the shop has never had. */
    placeOrder(): void {
      const userId = chance.some(shoppers);
      const base = command(userId);
      const orderId = orderIdOf(base.meta.commandId);
      const wanted = [...new Set([chance.some(bookIds), chance.some(bookIds)])];
      if (chance.of(0.06)) wanted.push(bookIdOf('9780000009999'));
      const lines = wanted.map((bookId, index) => ({
        lineId: lineIdOf(orderId, index),
        bookId,
        quantity: 1 + chance.upTo(3),
        expectedUnitPrice: shown.get(bookId) ?? eur(700n),
      }));
      asked.expected.set(
        orderId,
        lines.map((line) => line.expectedUnitPrice),
      );
      const policy = 'ALL_OR_NOTHING';
      orders.send(orderId, { type: 'PlaceOrder', ...base, orderId, userId, lines, policy, traceId: null });
    },

    restock(): void {
      const bookId = chance.some(bookIds);
      const quantity = 1 + chance.upTo(6);
      stock.send(bookId, { type: 'Restock', ...command('admin'), bookId, quantity, reason: 'delivery' });
    },

    /** Counted again: some are missing, or more are there. May be refused. */
    adjust(): void {
      const bookId = chance.some(bookIds);
      const delta = chance.upTo(5) - 3;
      stock.send(bookId, { type: 'AdjustStock', ...command('admin'), bookId, delta, reason: 'counted' });
    },

    topUp(): void {
      const userId = chance.some(shoppers);
      const amount = eur(BigInt(500 + chance.upTo(4_000)));
      const sent: WalletsCommand = { type: 'TopUp', ...command(userId), userId, amount };
      topUps.push(sent);
      wallets.send(userId, sent);
    },

    /** The key of an earlier top-up with another amount. */
    reuseKey(): void {
      const earlier = chance.some(topUps);
      if (earlier?.type !== 'TopUp') return;
      const amount = eur(earlier.amount.amountMinor + 1n);
      const again = noted({ ...earlier, amount, payloadHash: payloadHashOf([earlier.payloadHash, 'another amount']) });
      wallets.send(earlier.userId, again);
    },

    /** The page shows the new price when it pleases: now, or not for a while. */
    changePrice(): void {
      const bookId = chance.some(bookIds);
      const price = eur(BigInt(500 + chance.upTo(400)));
      if (chance.of(0.5)) shown.set(bookId, price);
      books.send(bookId, { type: 'ChangePrice', ...command('admin'), bookId, price, expectedVersion: null });
    },

    withdrawOrReinstate(): void {
      const bookId = chance.some(bookIds);
      const type = chance.of(0.25) ? 'WithdrawBook' : 'ReinstateBook';
      books.send(bookId, { type, ...command('admin'), bookId, expectedVersion: null });
    },
  };
}
