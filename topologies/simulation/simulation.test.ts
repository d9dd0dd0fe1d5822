import { useLocalSchemas } from '@bookstream/schemas/serde';
import { describe, expect, test } from 'vitest';
import { react } from '../order-process/react.ts';
import { availableOf, decideLine } from '../stock/stock.ts';
import { decideHold } from '../wallet/wallet.ts';
import { type Rules, realRules, simulate } from './simulation.ts';

useLocalSchemas();

const firstSeed = Number(process.env.BOOKSTREAM_SEED ?? 1);
const seeds = Array.from({ length: 25 }, (_, index) => firstSeed + index);

test.each(seeds)(
  'seed %i: money and stock are conserved at every step, and every order ends once and holds nothing',
  (seed) => {
    expect(simulate(seed)).toEqual([]);
  },
);

describe('a planted fault turns it red', () => {
  const foundWith = (fault: Partial<Rules>): boolean =>
    seeds.some((seed) => {
      try {
        return simulate(seed, { ...realRules, ...fault }).length > 0;
      } catch {
        return true; // the platform itself refused
      }
    });

  test('a stock that releases twice', () => {
    const releasesTwice: typeof decideLine = (command, book, attempt) => {
      if (command.type !== 'ReleaseStock' || attempt?.state !== 'RELEASED' || attempt.quantity === 0)
        return decideLine(command, book, attempt);
      return decideLine(command, book, { ...attempt, state: 'RESERVED' });
    };
    expect(foundWith({ decideLine: releasesTwice })).toBe(true);
  });

  test('a wallet that captures twice', () => {
    const capturesTwice: typeof decideHold = (command, wallet, hold) =>
      decideHold(
        command,
        wallet,
        command.type === 'CaptureFunds' && hold?.state === 'CAPTURED' ? { ...hold, state: 'HELD' } : hold,
      );
    expect(foundWith({ decideHold: capturesTwice })).toBe(true);
  });

  test('an order that forgets a late hold', () => {
    const forgets: typeof react = (event, order) => (event.type === 'PaymentMoved' ? [] : react(event, order));
    expect(foundWith({ react: forgets })).toBe(true);
  });

  test('an order that forgets a late reservation', () => {
    const forgets: typeof react = (event, order) => (event.type === 'LineAnswered' ? [] : react(event, order));
    expect(foundWith({ react: forgets })).toBe(true);
  });

  test('a stock that sells what is set aside', () => {
    const oversells: typeof decideLine = (command, book, attempt) => {
      if (command.type !== 'ReserveStock') return decideLine(command, book, attempt);
      const { level } = book;
      const free = availableOf(level) + level.reserved;
      return free >= command.quantity
        ? decideLine(command, { ...book, level: { ...level, safety: -level.reserved } }, attempt)
        : decideLine(command, book, attempt);
    };
    expect(foundWith({ decideLine: oversells })).toBe(true);
  });
});
