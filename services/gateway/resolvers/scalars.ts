import { decimal } from '@bookstream/schemas/money';
import type { Money } from '@bookstream/schemas/types/common';
import { GraphQLScalarType, Kind } from 'graphql';
import { badInput } from '../errors.ts';

const long = (value: unknown): bigint => {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || !/^-?\d{1,19}$/.test(text))
    throw badInput('A Long is a whole number of up to 64 bits, as a string.');
  const number = BigInt(text);
  if (BigInt.asIntN(64, number) !== number) throw badInput('A Long has at most 64 bits.');
  return number;
};

export const Long = new GraphQLScalarType<bigint, string>({
  name: 'Long',
  serialize: (value) => String(value),
  parseValue: long,
  parseLiteral: (node) => {
    if (node.kind === Kind.STRING || node.kind === Kind.INT) return long(node.value);
    throw badInput('A Long is a whole number of up to 64 bits, as a string.');
  },
});

/** Instants leave as ISO 8601; none comes in. */
export const DateTime = new GraphQLScalarType<never, string>({
  name: 'DateTime',
  serialize: (value) => new Date(Number(value)).toISOString(),
});

export const Decimal = new GraphQLScalarType<never, string>({ name: 'Decimal', serialize: (value) => String(value) });

/** A Money of the API from one of the house. */
export const money = (amount: Money) => ({
  amount: decimal(amount),
  minor: amount.amountMinor,
  currency: amount.currency,
});
