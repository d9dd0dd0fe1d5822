import { topics } from '@bookstream/schemas/topics';
import { inputsOf, outputsOf } from '@bookstream/streams';
import { expect, test } from 'vitest';
import { applications } from '../applications.ts';
import { consequencesOf } from './consequences.ts';

const keptOf = (topic: string) => Object.values(topics).find(({ name }) => name === topic);
const week = { cleanup: 'delete', retentionMs: 7 * 86_400_000 };
const forEver = { cleanup: 'delete', retentionMs: -1 };
const compacted = { cleanup: 'compact', retentionMs: -1 };

test('of the shop only what folds events into rows may begin anew', () => {
  const harmless = [...applications].flatMap(([id, plan]) =>
    consequencesOf(inputsOf(plan), outputsOf(plan), keptOf).harm.length === 0 ? [id] : [],
  );
  expect(harmless).toEqual(['bookstream-order-view']);
  const stock = applications.get('bookstream-stock');
  if (stock === undefined) throw new Error('it is an application of the shop');
  const { decides, harm } = consequencesOf(inputsOf(stock), outputsOf(stock), keptOf);
  expect(decides).toBe(true);
  expect(harm.join('\n')).toMatch(/stock\.commands keeps 7 days[\s\S]*stock\.events gets again/);
});

test.each([
  ['an input that forgets', [{ topic: 'in', from: 'earliest' }], week, compacted, /in keeps 7 days/],
  ['an input that is read from its end', [{ topic: 'in', from: 'latest' }], forEver, compacted, /read from its end/],
  ['an output that is not compacted', [{ topic: 'in', from: 'earliest' }], compacted, forEver, /out gets again/],
  ['a topic that is not of the contract', [{ topic: 'in', from: 'earliest' }], forEver, undefined, /out gets again/],
] as const)('%s does harm', (_what, inputs, input, output, harm) => {
  const found = consequencesOf(inputs, ['out'], (topic) => (topic === 'in' ? input : output));
  expect(found.harm).toEqual([expect.stringMatching(harm)]);
  expect(found.decides).toBe(false);
});
