import type { Money } from './types/common.ts';

export type { Money } from './types/common.ts';

/** Two currencies met in one sum: a fault of ours, because the shop has one currency. */
export class CurrencyMismatchError extends Error {
  readonly code = 'CURRENCY_MISMATCH';

  constructor(left: string, right: string) {
    super(`${left} and ${right} cannot be counted together; nothing was decided`);
    this.name = 'CurrencyMismatchError';
  }
}

export const shopCurrency = 'EUR';

/** Cents. */
export const eur = (amountMinor: bigint): Money => ({ amountMinor, currency: shopCurrency });

export const zero: Money = eur(0n);

const same = (left: Money, right: Money): string => {
  if (left.currency !== right.currency) throw new CurrencyMismatchError(left.currency, right.currency);
  return left.currency;
};

export const add = (left: Money, right: Money): Money => ({
  amountMinor: left.amountMinor + right.amountMinor,
  currency: same(left, right),
});

export const subtract = (left: Money, right: Money): Money => ({
  amountMinor: left.amountMinor - right.amountMinor,
  currency: same(left, right),
});

/** Whole copies: exact, nothing is rounded. */
export const multiply = (amount: Money, copies: number): Money => ({
  amountMinor: amount.amountMinor * BigInt(copies),
  currency: amount.currency,
});

/** Negative: left is less. */
export const compare = (left: Money, right: Money): number => {
  same(left, right);
  return left.amountMinor < right.amountMinor ? -1 : left.amountMinor > right.amountMinor ? 1 : 0;
};

export const sum = (amounts: readonly Money[]): Money => amounts.reduce(add, zero);

/** `1250n` → `12.50`: exact, for wires and messages. */
export function decimal(amount: Money): string {
  const sign = amount.amountMinor < 0n ? '-' : '';
  const digits = String(amount.amountMinor < 0n ? -amount.amountMinor : amount.amountMinor).padStart(3, '0');
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** `€12.50`, for sentences. */
export const format = (amount: Money): string =>
  amount.currency === 'EUR' ? `€${decimal(amount)}` : `${decimal(amount)} ${amount.currency}`;
