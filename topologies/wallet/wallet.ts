import type { Money } from '@bookstream/schemas/money';
import { add, compare, eur, subtract } from '@bookstream/schemas/money';
import type { PaymentsEvent } from '@bookstream/schemas/types/payments';
import type { WalletsCommand, WalletsEvent } from '@bookstream/schemas/types/wallets';

export interface Wallet {
  /** Includes what is held. */
  readonly balance: Money;
  readonly held: Money;
  readonly version: number;
}

/** One hold: the inbox of the wallet. A step that is done is never done again, only answered again. */
export type Hold =
  | { readonly state: 'HELD' | 'RELEASED' | 'CAPTURED'; readonly amount: Money }
  | { readonly state: 'DECLINED'; readonly amount: Money; readonly missing: Money };

type Bare<E, K extends string> = E extends unknown ? Omit<E, K> : never;
/** `moves`: what changes hands, by account; the sum is zero. */
export interface Movement {
  readonly event: Bare<WalletsEvent, 'meta' | 'userId' | 'version' | 'balance' | 'held' | 'entries'>;
  readonly balance: Money;
  readonly held: Money;
  readonly moves: readonly { readonly account: 'free' | 'held' | 'shop' | 'world'; readonly amountMinor: bigint }[];
}
export type PaymentFact = Bare<PaymentsEvent, 'meta' | 'orderId' | 'userId'>;

export const emptyWallet: Wallet = { balance: eur(0n), held: eur(0n), version: 0 };

export type HoldCommand = Extract<WalletsCommand, { holdId: string }>;

export interface HoldDecision {
  /** Null: no money moves. */
  readonly movement: Movement | null;
  readonly hold: Hold;
  readonly answer: PaymentFact;
}

export function answerOf(hold: Hold, holdId: string): PaymentFact {
  const { amount } = hold;
  switch (hold.state) {
    case 'HELD':
      return { type: 'PaymentAuthorized', holdId, amount };
    case 'DECLINED':
      return { type: 'PaymentDeclined', holdId, amount, missing: hold.missing };
    case 'RELEASED':
      return { type: 'PaymentReleased', holdId, amount };
    case 'CAPTURED':
      return { type: 'PaymentCaptured', holdId, amount };
  }
}

const still = (hold: Hold, holdId: string): HoldDecision => ({ movement: null, hold, answer: answerOf(hold, holdId) });

/**
 * Answers one step of a hold.
 * @throws Error – a capture without a hold, or of more than is held: order-process would have to be wrong, so no money moves and the record fails
 */
export function decideHold(command: HoldCommand, wallet: Wallet, hold: Hold | null): HoldDecision {
  const { holdId, orderId } = command;
  switch (command.type) {
    case 'HoldFunds': {
      if (hold !== null) return still(hold, holdId);
      const { amount } = command;
      const free = subtract(wallet.balance, wallet.held);
      if (compare(free, amount) < 0)
        return still({ state: 'DECLINED', amount, missing: subtract(amount, free) }, holdId);
      const held: Hold = { state: 'HELD', amount };
      return {
        movement: {
          event: { type: 'FundsHeld', orderId, holdId, amount },
          balance: wallet.balance,
          held: add(wallet.held, amount),
          moves: [
            { account: 'free', amountMinor: -amount.amountMinor },
            { account: 'held', amountMinor: amount.amountMinor },
          ],
        },
        hold: held,
        answer: answerOf(held, holdId),
      };
    }
    case 'ReleaseHold': {
      // Released before it was held: the late hold will be answered with this release.
      if (hold === null) return still({ state: 'RELEASED', amount: eur(0n) }, holdId);
      if (hold.state !== 'HELD') return still(hold, holdId);
      const { amount } = hold;
      const released: Hold = { state: 'RELEASED', amount };
      return {
        movement: {
          event: { type: 'HoldReleased', orderId, holdId, amount },
          balance: wallet.balance,
          held: subtract(wallet.held, amount),
          moves: [
            { account: 'held', amountMinor: -amount.amountMinor },
            { account: 'free', amountMinor: amount.amountMinor },
          ],
        },
        hold: released,
        answer: answerOf(released, holdId),
      };
    }
    case 'CaptureFunds':
      return decideCapture(command, wallet, hold);
  }
}

function decideCapture(
  command: Extract<HoldCommand, { type: 'CaptureFunds' }>,
  wallet: Wallet,
  hold: Hold | null,
): HoldDecision {
  const { holdId, orderId, amount } = command;
  if (hold?.state === 'CAPTURED') return still(hold, holdId);
  if (hold?.state !== 'HELD' || compare(amount, hold.amount) > 0) {
    throw new Error(`hold ${holdId} is ${hold?.state ?? 'unknown'} and cannot be captured; no money moved`);
  }
  const released = subtract(hold.amount, amount);
  const captured: Hold = { state: 'CAPTURED', amount };
  return {
    movement: {
      event: { type: 'FundsCaptured', orderId, holdId, amount, released },
      balance: subtract(wallet.balance, amount),
      held: subtract(wallet.held, hold.amount),
      moves: [
        { account: 'held', amountMinor: -hold.amount.amountMinor },
        { account: 'shop', amountMinor: amount.amountMinor },
        ...(released.amountMinor === 0n ? [] : [{ account: 'free', amountMinor: released.amountMinor } as const]),
      ],
    },
    hold: captured,
    answer: answerOf(captured, holdId),
  };
}

export const topUp = (amount: Money, wallet: Wallet): Movement => ({
  event: { type: 'WalletToppedUp', amount },
  balance: add(wallet.balance, amount),
  held: wallet.held,
  moves: [
    { account: 'world', amountMinor: -amount.amountMinor },
    { account: 'free', amountMinor: amount.amountMinor },
  ],
});
