/** An amount in minor units (cents) as a decimal string of digits, and its ISO 4217 code: what the API calls `Money` and `MoneyInput`. */
export interface Money {
  readonly minor: string;
  readonly currency: string;
}

/** One language for now; sums and dates are written its way whatever the browser speaks, so that a page does not mix two. */
export const locale = 'en-IE';

const formats = new Map<string, Intl.NumberFormat>();

function formatOf(currency: string): Intl.NumberFormat {
  const known = formats.get(currency);
  if (known !== undefined) return known;
  const made = new Intl.NumberFormat(locale, { style: 'currency', currency });
  formats.set(currency, made);
  return made;
}

/** Digits after the point: 2 for EUR, 0 for JPY. */
const digitsOf = (currency: string): number => formatOf(currency).resolvedOptions().maximumFractionDigits ?? 2;

/** `{ minor: "1290", currency: "EUR" }` → `€12.90`. Exact for any size: the amount never becomes a JavaScript number. */
export function money(value: Money): string {
  const digits = digitsOf(value.currency);
  const minor = BigInt(value.minor);
  const sign = minor < 0n ? '-' : '';
  const padded = (minor < 0n ? -minor : minor).toString().padStart(digits + 1, '0');
  const whole = padded.slice(0, padded.length - digits);
  const decimal = digits === 0 ? whole : `${whole}.${padded.slice(-digits)}`;
  // A decimal string is formatted exactly; the type wants to see a numeric literal, which `${bigint}` cannot be with a fraction.
  return formatOf(value.currency).format(`${sign}${decimal}` as Intl.StringNumericLiteral);
}

/** Price of `quantity` copies. */
export const times = (value: Money, quantity: number): Money => ({
  minor: (BigInt(value.minor) * BigInt(quantity)).toString(),
  currency: value.currency,
});

/** −1, 0 or 1; both must be of one currency. */
export function compare(a: Money, b: Money): number {
  if (a.currency !== b.currency) throw new RangeError(`Cannot compare ${a.currency} with ${b.currency}.`);
  const [left, right] = [BigInt(a.minor), BigInt(b.minor)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * Reads what a person typed as an amount: `12`, `12.9`, `12,90`, `€ 12.90`.
 * @returns the amount, or null if it is none: no digits, more decimals than the currency has, a thousands separator (which could be a decimal one)
 */
export function readMoney(text: string, currency = 'EUR'): Money | null {
  const digits = digitsOf(currency);
  const match = /^(?:€\s*)?(\d{1,12})(?:[.,](\d{1,}))?$/.exec(text.trim());
  if (match === null) return null;
  const [, whole = '', fraction = ''] = match;
  if (fraction.length > digits) return null;
  return { minor: BigInt(whole + fraction.padEnd(digits, '0')).toString(), currency };
}
