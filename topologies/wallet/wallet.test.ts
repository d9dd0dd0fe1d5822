import { eur } from '@bookstream/schemas/money';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ada, meta } from '../shared/test/examples.ts';
import { decideHold, type Hold, type HoldCommand, type Movement, topUp, type Wallet } from './wallet.ts';

const purse = (balance: bigint, held = 0n): Wallet => ({ balance: eur(balance), held: eur(held), version: 1 });
const about = { meta: meta(), userId: ada, orderId: 'o1', holdId: 'h1' };
const hold = (minor: bigint): HoldCommand => ({ type: 'HoldFunds', ...about, amount: eur(minor) });
const release: HoldCommand = { type: 'ReleaseHold', ...about };
const capture = (minor: bigint): HoldCommand => ({ type: 'CaptureFunds', ...about, amount: eur(minor) });
const held: Hold = { state: 'HELD', amount: eur(700n) };

const sumOf = ({ moves }: Movement): bigint => moves.reduce((sum, move) => sum + move.amountMinor, 0n);

describe('holding', () => {
  test('sets the amount aside inside the balance', () => {
    expect(decideHold(hold(700n), purse(1_000n), null)).toMatchObject({
      movement: { event: { type: 'FundsHeld' }, balance: eur(1_000n), held: eur(700n) },
      answer: { type: 'PaymentAuthorized', amount: eur(700n) },
    });
  });

  test('what is held for one order is not there for another; the answer tells what is missing', () => {
    const decision = decideHold(hold(700n), purse(1_000n, 400n), null);
    expect(decision).toMatchObject({ movement: null, answer: { type: 'PaymentDeclined', missing: eur(100n) } });
    const richer = decideHold(hold(700n), purse(9_000n), decision.hold);
    expect(richer).toMatchObject({ movement: null, answer: { type: 'PaymentDeclined', missing: eur(100n) } });
  });

  test('a release that overtook its hold is remembered: the late hold takes nothing', () => {
    const early = decideHold(release, purse(1_000n), null);
    expect(decideHold(hold(700n), purse(1_000n), early.hold)).toMatchObject({
      movement: null,
      answer: { type: 'PaymentReleased' },
    });
  });
});

describe('capturing', () => {
  test('lowers balance and held, and lets the rest go', () => {
    const decision = decideHold(capture(500n), purse(1_000n, 700n), held);
    expect(decision).toMatchObject({
      movement: { event: { type: 'FundsCaptured', released: eur(200n) }, balance: eur(500n), held: eur(0n) },
      answer: { type: 'PaymentCaptured', amount: eur(500n) },
    });
  });

  test.each([
    ['more than is held', capture(701n), held],
    ['without a hold', capture(1n), null],
    ['of a hold that was let go', capture(700n), { state: 'RELEASED', amount: eur(700n) }],
    ['of a hold that was declined', capture(700n), { state: 'DECLINED', amount: eur(700n), missing: eur(1n) }],
  ] as const)('%s is a fault: no money moves', (_what, command, before) => {
    expect(() => decideHold(command, purse(1_000n, 700n), before)).toThrow('no money moved');
  });
});

test('whatever is asked, in whatever order and however often: no cent is spent twice, and a repeat moves nothing', () => {
  const anyStep = fc.record({
    hold: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom('TopUp', 'HoldFunds', 'ReleaseHold', 'CaptureFunds'),
    minor: fc.bigInt({ min: 1n, max: 900n }),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      let wallet = purse(0n);
      const holds = new Map<string, Hold>();
      const inState = (state: Hold['state']): bigint =>
        [...holds.values()].reduce((sum, one) => sum + (one.state === state ? one.amount.amountMinor : 0n), 0n);
      const moved = (movement: Movement): void => {
        expect(sumOf(movement)).toBe(0n);
        wallet = { ...wallet, balance: movement.balance, held: movement.held };
      };
      let toppedUp = 0n;
      for (const { hold: number, kind, minor } of steps) {
        const base = { ...about, holdId: String(number) };
        if (kind === 'TopUp') {
          toppedUp += minor;
          moved(topUp(eur(minor), wallet));
          continue;
        }
        const command: HoldCommand =
          kind === 'ReleaseHold' ? { ...base, type: kind } : { ...base, type: kind, amount: eur(minor) };
        let decision: ReturnType<typeof decideHold>;
        try {
          decision = decideHold(command, wallet, holds.get(base.holdId) ?? null);
        } catch (fault) {
          expect(String(fault)).toContain('no money moved');
          continue;
        }
        holds.set(base.holdId, decision.hold);
        if (decision.movement !== null) moved(decision.movement);
        const again = decideHold(command, wallet, decision.hold);
        expect(again).toEqual({ movement: null, hold: decision.hold, answer: decision.answer });
        expect(wallet.balance.amountMinor).toBe(toppedUp - inState('CAPTURED'));
        expect(wallet.held.amountMinor).toBe(inState('HELD'));
        expect(wallet.held.amountMinor).toBeLessThanOrEqual(wallet.balance.amountMinor);
      }
    }),
  );
});
