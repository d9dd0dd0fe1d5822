import { useLocalSchemas } from '@bookstream/schemas/serde';
import { describe, expect, test } from 'vitest';
import { react } from '../order-process/react.ts';
import { availableOf, decideLine } from '../stock/stock.ts';
import { decideHold } from '../wallet/wallet.ts';
import { type Rules, realRules, simulate, type Verdict } from './simulation.ts';

useLocalSchemas();

const firstSeed = Number(process.env.BOOKSTREAM_SEED ?? 1);
const seeds = Array.from({ length: 25 }, (_, index) => firstSeed + index);
const verdicts = new Map<number, Verdict>();
const verdictOn = (seed: number): Verdict => {
  const verdict = verdicts.get(seed) ?? simulate(seed);
  verdicts.set(seed, verdict);
  return verdict;
};

test.each(seeds)(
  'seed %i: money and stock are conserved at every step, and every order ends once and holds nothing',
  (seed) => {
    expect(verdictOn(seed).wrong).toEqual([]);
  },
);

test('together the seeds meet every end that an order can have, each several times', () => {
  const ends = ['CONFIRMED', 'OUT_OF_STOCK', 'FUNDS', 'PRICE_CHANGED', 'UNKNOWN_BOOK', 'BOOK_WITHDRAWN', 'TIMED_OUT'];
  for (const end of ends) {
    const count = seeds.reduce((sum, seed) => sum + (verdictOn(seed).ends.get(end) ?? 0), 0);
    expect(count, end).toBeGreaterThanOrEqual(5);
  }
});

/** The same seeds that are clean above must tell of the fault, in the words of the law it breaks: a crash is not a finding. */
describe('a planted fault turns it red', () => {
  const found = (fault: Partial<Rules>): string => {
    for (const seed of seeds) {
      const [first] = simulate(seed, { ...realRules, ...fault }).wrong;
      if (first !== undefined) return first;
    }
    return 'nothing';
  };

  test('a stock that releases twice', () => {
    const releasesTwice: typeof decideLine = (command, book, attempt) =>
      command.type === 'ReleaseStock' && attempt?.state === 'RELEASED' && attempt.quantity > 0
        ? decideLine(command, book, { ...attempt, state: 'RESERVED' })
        : decideLine(command, book, attempt);
    expect(found({ decideLine: releasesTwice })).toMatch(/StockReleased .* was written twice/);
  });

  test('a wallet that captures twice', () => {
    const capturesTwice: typeof decideHold = (command, wallet, hold) =>
      command.type === 'CaptureFunds' && hold?.state === 'CAPTURED'
        ? decideHold(command, wallet, { ...hold, state: 'HELD' })
        : decideHold(command, wallet, hold);
    expect(found({ decideHold: capturesTwice })).toMatch(/FundsCaptured .* was written twice/);
  });

  test('an order that forgets a late hold', () => {
    const forgets: typeof react = (event, order) => (event.type === 'PaymentMoved' ? [] : react(event, order));
    expect(found({ react: forgets })).toMatch(/OrderRejected: held \d+, not 0/);
  });

  test('an order that forgets a late reservation', () => {
    const forgets: typeof react = (event, order) => (event.type === 'LineAnswered' ? [] : react(event, order));
    expect(found({ react: forgets })).toMatch(/OrderRejected: reserved \d+, not 0/);
  });

  test('an order that is confirmed and does not pay', () => {
    const keeps: typeof react = (event, order) =>
      react(event, order).filter((demand) => demand.type !== 'CaptureFunds');
    expect(found({ react: keeps })).toMatch(/OrderConfirmed: (held|captured) \d+, not \d+/);
  });

  test('a stock that sells what is set aside', () => {
    const oversells: typeof decideLine = (command, book, attempt) =>
      command.type === 'ReserveStock' && availableOf(book.level) + book.level.reserved >= command.quantity
        ? decideLine(command, { ...book, level: { ...book.level, safety: -book.level.reserved } }, attempt)
        : decideLine(command, book, attempt);
    expect(found({ decideLine: oversells })).toMatch(/oversold/);
  });

  test('a wallet that lends', () => {
    const lends: typeof decideHold = (command, wallet, hold) =>
      command.type === 'HoldFunds' && hold === null
        ? decideHold(command, { ...wallet, balance: { ...wallet.balance, amountMinor: 1_000_000n } }, hold)
        : decideHold(command, wallet, hold);
    expect(found({ decideHold: lends })).toMatch(/balance 1000000, movements make|overdrawn/);
  });
});
