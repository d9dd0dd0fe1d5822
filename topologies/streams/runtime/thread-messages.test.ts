import { expect, test } from 'vitest';
import { TaskFailedError } from '../errors.ts';
import { fromPlain, toPlain } from './thread-messages.ts';

const sent = (value: unknown): unknown => fromPlain(structuredClone(toPlain(value)));

test('an error arrives with its name, what it knows and its causes', () => {
  const cause = new RangeError('too far');
  const error = new TaskFailedError('0_1', { topic: 'in', partition: 1, offset: 7 }, cause);
  const arrived = sent({ error, tasks: ['0_1'] });
  expect(arrived).toMatchObject({ tasks: ['0_1'], error: { name: 'TaskFailedError', code: 'TASK_FAILED', offset: 7 } });
  expect(arrived).toMatchObject({
    error: { message: error.message, cause: { name: 'RangeError', message: 'too far' } },
  });
  expect((arrived as { error: unknown }).error).toBeInstanceOf(Error);
});

test('what cannot be cloned is written out, and what refers to itself has an end', () => {
  const loop: Record<string, unknown> = { call: () => 1, bytes: Uint8Array.of(1) };
  loop.loop = loop;
  expect(sent(loop)).toMatchObject({ call: '() => 1', bytes: Uint8Array.of(1), loop: { loop: {} } });
  const error: Error & { itself?: unknown } = new Error('round');
  error.itself = error;
  error.cause = error;
  expect(sent(error)).toMatchObject({ message: 'round', itself: { message: 'round' }, cause: { message: 'round' } });
});
