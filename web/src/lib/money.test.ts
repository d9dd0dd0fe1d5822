import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, money, readMoney, times } from '#lib/money.ts';

const eur = (minor: string) => ({ minor, currency: 'EUR' });

test('cents are shown with two digits, and every digit of a large sum survives', () => {
  expect(money(eur('1290'))).toBe('€12.90');
  expect(money(eur('5'))).toBe('€0.05');
  expect(money(eur('-940'))).toBe('-€9.40');
  expect(money(eur('900719925474099301'))).toBe('€9,007,199,254,740,993.01');
  expect(money({ minor: '1290', currency: 'JPY' })).toMatch(/1,290$/);
});

test('an amount is read with a point or a comma', () => {
  expect(readMoney('12')).toEqual(eur('1200'));
  expect(readMoney(' 12.9 ')).toEqual(eur('1290'));
  expect(readMoney('12,90')).toEqual(eur('1290'));
  expect(readMoney('€ 12.90')).toEqual(eur('1290'));
});

test('what could mean two amounts is not read', () => {
  for (const text of ['', 'ten', '1.000,00', '1,000', '12.905', '-5', '1e3', '12.']) expect(readMoney(text)).toBeNull();
});

test('what is shown can be typed back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 99_999n }), (minor) => {
      expect(readMoney(money(eur(minor.toString())))).toEqual(eur(minor.toString()));
    }),
  );
});

test('copies multiply, and amounts compare in one currency only', () => {
  expect(times(eur('1290'), 3)).toEqual(eur('3870'));
  expect(compare(eur('9'), eur('10'))).toBe(-1);
  expect(compare(eur('10'), eur('10'))).toBe(0);
  expect(() => compare(eur('1'), { minor: '1', currency: 'USD' })).toThrow(RangeError);
});
