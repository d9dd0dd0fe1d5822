import { expect, test } from 'vitest';
import { ApiError, asApiError, explain, kindOf } from '#lib/api/errors.ts';

test('codes of the API become kinds, and an unknown code is a fault', () => {
  expect([kindOf('UNAUTHENTICATED'), kindOf('ORDER_NOT_FOUND'), kindOf('SOMETHING_NEW')]).toEqual([
    'unauthenticated',
    'not-found',
    'fault',
  ]);
});

test('only an error that may hide a success says so', () => {
  const lost = new ApiError('unreachable', 'UNREACHABLE', 'fetch failed');
  const limited = new ApiError('limited', 'RATE_LIMITED', 'slow down');
  const unsure = 'The order may or may not have been placed.';
  expect(explain(lost, 'There is no answer.', unsure).body).toContain(unsure);
  expect(explain(limited, 'The order was not placed.', unsure).body).not.toContain(unsure);
});

test('an error of the page itself is kept with its cause', () => {
  const bug = new TypeError('x is undefined');
  const error = asApiError(bug);
  expect([error.kind, error.message, error.cause]).toEqual(['fault', 'x is undefined', bug]);
  expect(asApiError(error)).toBe(error);
});
