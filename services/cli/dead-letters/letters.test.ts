import type { ApplicationPlan, DeadLetter } from '@bookstream/streams';
import { Serdes, StreamsBuilder } from '@bookstream/streams';
import { expect, test } from 'vitest';
import { addressOf, addressText, keyText } from './address.ts';
import { byCause } from './causes.ts';
import { letterOf, type Parked, standings } from './letters.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

function planOf(applicationId: string): ApplicationPlan {
  const text = { keySerde: Serdes.string, valueSerde: Serdes.string };
  const builder = new StreamsBuilder();
  builder.stream({ name: 'in', ...text }).to({ name: 'out', ...text });
  builder.stream({ name: 'other', ...text }).to({ name: 'out', ...text });
  return builder.build().parkingDeadLetters().plan(applicationId);
}
const applications = new Map([['shop', planOf('shop')]]);

const letter = (more: Partial<DeadLetter> = {}): DeadLetter => ({
  at: { topic: 'in.dlq', partition: 2, offset: 7 },
  timestamp: 5,
  key: bytes('k'),
  value: null,
  headers: [],
  reason: 'malformed',
  cause: 'bad bytes',
  origin: { topic: 'in', partition: 2, offset: 17 },
  application: 'shop',
  task: '0_2',
  target: null,
  valueBytes: null,
  ...more,
});
const record = (offset: number) => ({ topic: 'in', partition: 2, offset, timestamp: 5, key: bytes('k') });
const parked: Parked = {
  application: 'shop',
  subTopology: 0,
  partition: 2,
  key: bytes('k'),
  records: [record(17), record(18)],
};

test('an address is read back as it is written, whatever the topic is called', () => {
  for (const at of [
    { topic: 'orders.commands.dlq', partition: 2, offset: 17 },
    { topic: 'shop-1@2-repartition.dlq', partition: 0, offset: 0 },
  ])
    expect(addressOf(addressText(at))).toEqual(at);
  for (const text of ['orders.commands.dlq', 'orders.commands.dlq-2', 'x-2@', '-1@2', 'x-1@2 '])
    expect(() => addressOf(text)).toThrow(/no address of a letter, such as/);
});

test('a key that is no text is told as hex', () => {
  expect(keyText(bytes('bücher'))).toBe('bücher');
  expect(keyText(Uint8Array.of(0xff, 0x00))).toBe('0xff00');
});

test('a letter is parked when its own record is, in its own task', () => {
  const of = standings([parked], applications);
  expect(of(letter())).toEqual({ is: 'parked', key: parked });
  expect(of(letter({ origin: { topic: 'in', partition: 2, offset: 16 } }))).toEqual({ is: 'not parked' });
  expect(of(letter({ task: '1_2' }))).toEqual({ is: 'not parked' });
});

test.each<[Partial<DeadLetter>, RegExp]>([
  [{ reason: '' }, /no letter of the stream engine/],
  [{ application: 'projection-orders', task: 'build-1' }, /a projection parks nothing/],
  [{ application: 'elsewhere' }, /no application of the shop/],
  [{ task: 'global' }, /a global table/],
  [{ target: 'out', reason: 'production' }, /could not be sent to out/],
  [{ task: '7_2' }, /no task 7_2 any more/],
  [{ key: null, origin: { topic: 'in', partition: 2, offset: 3 } }, /without a key/],
  [{ key: Uint8Array.of(0xff), origin: { topic: 'in', partition: 2, offset: 3 } }, /key cannot be read/],
])('what nobody parks is said to be so: %o', (more, why) => {
  expect(standings([], applications)(letter(more))).toEqual({ is: 'never parks', why: expect.stringMatching(why) });
});

test('by cause: the most frequent first, with how many are parked and the newest as an example', () => {
  const of = standings([parked], applications);
  const all = [
    letter(),
    letter({ at: { topic: 'in.dlq', partition: 2, offset: 9 }, timestamp: 8, origin: null }),
    letter({ cause: 'other', timestamp: 9, task: 'global' }),
  ].map((one) => letterOf(one, of(one)));
  expect(byCause(all.toReversed())).toEqual([
    {
      topic: 'in.dlq',
      application: 'shop',
      reason: 'malformed',
      cause: 'bad bytes',
      letters: 2,
      parked: 1,
      newest: 8,
      example: 'in.dlq-2@9',
    },
    expect.objectContaining({ cause: 'other', letters: 1, parked: 0 }),
  ]);
});
