import { describe, expect, test } from 'vitest';
import { exitCodes } from '../exit-codes.ts';
import { addressOf } from './address.ts';
import type { Letter, Letters, Parked } from './letters.ts';
import { exitCodeOf, type Row, rowText } from './redriving.ts';
import { checkWanted, choose, type Wanted } from './selection.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const parkedKey = (application: string, key: string, first: number): Parked => ({
  application,
  subTopology: 0,
  partition: 1,
  key: bytes(key),
  records: [
    { topic: 'in', partition: 1, offset: first, timestamp: 0, key: bytes(key) },
    { topic: 'in', partition: 1, offset: first + 1, timestamp: 0, key: bytes(key) },
  ],
});
const letterOf = (offset: number, origin: number, standing: Letter['standing'], reason = 'failed'): Letter => ({
  ...{ address: `in.dlq-1@${offset}`, topic: 'in.dlq', partition: 1, offset, timestamp: 0, key: 'k' },
  ...{ application: 'stock', task: '0_1', reason, cause: 'no', origin: `in-1@${origin}`, target: null, standing },
});
const stock = parkedKey('stock', 'k', 10);
const wallet = parkedKey('wallet', 'k', 10);
const letters: Letters = {
  parked: [stock, wallet],
  letters: [
    letterOf(0, 10, { is: 'parked', key: stock }, 'malformed'),
    letterOf(1, 11, { is: 'parked', key: stock }),
    letterOf(2, 10, { is: 'parked', key: stock }),
    letterOf(3, 5, { is: 'not parked' }),
    letterOf(4, 6, { is: 'never parks', why: 'a projection' }),
  ],
};
const wanted = (more: Partial<Wanted>): Wanted => ({ all: false, skip: false, ...more });

describe('what is wanted', () => {
  const address = addressOf('in.dlq-1@0');
  test.each<[Partial<Wanted>, RegExp]>([
    [{}, /Name one/],
    [{ address, all: true }, /Name one/],
    [{ key: 'k', all: true, application: 'stock' }, /Name one/],
    [{ key: 'k' }, /--key needs --application/],
    [{ address, reason: 'failed' }, /leave --application and --reason out/],
    [{ key: 'k', application: 'stock', reason: 'failed' }, /--reason goes with --all/],
    [{ all: true, skip: true }, /--skip .* needs the address/],
  ])('must be clear: %o', (more, message) => {
    expect(() => checkWanted(wanted(more))).toThrow(message);
    expect(() => checkWanted(wanted(more))).toThrow(expect.objectContaining({ exitCode: exitCodes.usage }));
  });

  test('is clear with an address, with a key of an application, with all', () => {
    for (const more of [
      { address, skip: true },
      { key: 'k', application: 'stock' },
      { all: true, reason: 'failed' },
    ])
      expect(() => checkWanted(wanted(more))).not.toThrow();
  });
});

describe('the keys that are chosen', () => {
  const request = { subTopology: 0, partition: 1, key: stock.key };

  test('by the address of a letter, with the newest letter of what waits first', () => {
    expect(choose(wanted({ address: addressOf('in.dlq-1@0') }), letters)).toEqual([
      { key: stock, letter: letters.letters[2], request },
    ]);
  });

  test('left out is the record of that letter, also where it does not wait first', () => {
    const [chosen] = choose(wanted({ address: addressOf('in.dlq-1@1'), skip: true }), letters);
    expect(chosen?.request).toEqual({ ...request, leaveOut: stock.records[1] });
  });

  test.each([
    ['in.dlq-1@3', /not parked now/],
    ['in.dlq-1@4', /in.dlq-1@4: a projection; nothing was sent/],
    ['in.dlq-1@9', /there is no such letter/],
  ])('%s is refused', (address, message) => {
    expect(() => choose(wanted({ address: addressOf(address) }), letters)).toThrow(message);
  });

  test('by key, application and reason of the first letter', () => {
    const applications = (more: Partial<Wanted>) => choose(wanted(more), letters).map(({ key }) => key.application);
    expect(applications({ all: true })).toEqual(['stock', 'wallet']);
    expect(applications({ all: true, application: 'wallet' })).toEqual(['wallet']);
    expect(applications({ all: true, reason: 'failed' })).toEqual(['stock']);
    expect(applications({ all: true, reason: 'malformed' })).toEqual([]); // its newest letter says otherwise
    expect(applications({ key: 'k', application: 'stock' })).toEqual(['stock']);
    expect(() => applications({ key: 'x', application: 'stock' })).toThrow(/stock has nothing parked of the key "x"/);
  });
});

test('what came of a redrive is told, and ends the command accordingly', () => {
  const row: Row = {
    ...{ application: 'stock', key: 'k', outcome: 'done', skipped: null },
    ...{ taken: 2, left: 0, stoppedAt: null, cause: null },
  };
  const again = {
    ...row,
    outcome: 'failed-again',
    taken: 1,
    left: 3,
    stoppedAt: 'in-1@11',
    cause: 'failed: no',
  } as const;
  const waiting = { ...row, outcome: 'waiting', taken: 0, left: 4 } as const;
  expect(rowText(row)).toBe('2 records taken');
  expect(rowText({ ...row, skipped: 'in-1@10', taken: 0, left: 1 })).toBe(
    'in-1@10 left out, 1 of the key came to wait meanwhile',
  );
  expect(rowText(again)).toBe('1 record taken, dead letter again: in-1@11 (failed: no); 3 left');
  expect(rowText(waiting)).toMatch(/^not taken yet, 4 wait: does stock run\?/);
  expect([[row], [row, again], [again, waiting], []].map(exitCodeOf)).toEqual([
    exitCodes.ok,
    exitCodes.partial,
    exitCodes.timedOut,
    exitCodes.ok,
  ]);
});
