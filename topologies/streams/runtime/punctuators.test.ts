import { expect, test } from 'vitest';
import { InvalidArgumentError } from '../errors.ts';
import { Punctuators } from './punctuators.ts';

test('what was cancelled is forgotten, and cancelling inside a callback is fine', () => {
  const punctuators = new Punctuators();
  let ran = 0;
  const first = punctuators.add(
    'wall-clock-time',
    10,
    () => {
      ran += 1;
      first.cancel();
    },
    10,
  );
  punctuators.runDue('wall-clock-time', 35, (callback) => callback(35));
  punctuators.runDue('wall-clock-time', 95, (callback) => callback(95));
  expect(ran).toBe(1);
  expect(punctuators.isEmpty).toBe(true);
  expect(punctuators.nextWallClock).toBe(Number.POSITIVE_INFINITY);
});

test('an interval that cannot be kept is refused', () => {
  for (const interval of [0, -5, Number.NaN])
    expect(() => new Punctuators().add('stream-time', interval, () => {}, 0)).toThrow(InvalidArgumentError);
});
