import { expect, test } from 'vitest';
import { Serdes, StreamsBuilder } from '../index.ts';
import { inputsOf, internalTopicsOf, outputsOf } from './application-topics.ts';

const text = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });

function plan() {
  const builder = new StreamsBuilder();
  const prices = builder.globalTable(text('prices'), { store: 'prices' });
  builder
    .stream(text('clicks'), { offsetReset: 'latest' })
    .join(
      prices,
      (key) => key,
      (_click, price) => price,
    )
    .groupBy((_key, value) => value, { keySerde: Serdes.string, valueSerde: Serdes.string })
    .count({ store: 'counts' })
    .toStream()
    .to('counted');
  return builder.build().parkingDeadLetters().plan('shop');
}

test('what the topology names is told, whether it is there or not, and what an older one has left', () => {
  const existing = [
    'clicks',
    'clicks.dlq',
    'shop-counts-changelog',
    'shop-counts-repartition',
    'shop-counts-repartition.dlq',
    'shop-sums-changelog',
    'shop-sums-repartition',
    'shop-join-subscription-registration-topic',
    'shop-2-redrive',
    'shop-events', // not of a form that the engine uses
    'shop-cart-0-parked-changelog',
    'shopping-counts-changelog',
  ];
  const told = internalTopicsOf(plan(), existing, ['shop', 'shop-cart', 'shopping']);
  expect(told.map(({ name, role, exists, isOrphan }) => [name, role, isOrphan ? 'orphan' : exists])).toEqual([
    ['shop-0-parked-changelog', 'changelog', false],
    ['shop-0-redrive', 'redrive', false],
    ['shop-1-parked-changelog', 'changelog', false],
    ['shop-1-redrive', 'redrive', false],
    ['shop-2-redrive', 'redrive', 'orphan'],
    ['shop-counts-changelog', 'changelog', true],
    ['shop-counts-repartition', 'repartition', true],
    ['shop-counts-repartition.dlq', 'dead-letters', true],
    ['shop-join-subscription-registration-topic', 'repartition', 'orphan'],
    ['shop-sums-changelog', 'changelog', 'orphan'],
    ['shop-sums-repartition', 'repartition', 'orphan'],
  ]);
});

test('inputs with where they begin, and outputs, without what is internal', () => {
  expect(inputsOf(plan())).toEqual([
    { topic: 'clicks', from: 'latest' },
    { topic: 'prices', from: 'earliest' },
  ]);
  expect(outputsOf(plan())).toEqual(['counted']);
});
