import { bookIdOf } from '@bookstream/schemas/ids';
import { eur } from '@bookstream/schemas/money';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import type { BooksCommand } from '@bookstream/schemas/types/books';
import { TopologyTestDriver } from '@bookstream/streams';
import { expect, test } from 'vitest';
import { asked, bookId, details, topologyOf } from '../shared/test/examples.ts';
import { applicationId, build } from './topology.ts';

useLocalSchemas();

const create: BooksCommand = { type: 'CreateBook', ...asked('create'), bookId, details, price: eur(1_200n) };
const change = (minor: bigint, expectedVersion: number | null, key = `to ${minor}`): BooksCommand => ({
  type: 'ChangePrice',
  ...asked(key),
  bookId,
  price: eur(minor),
  expectedVersion,
});
const withdraw: BooksCommand = { type: 'WithdrawBook', ...asked('withdraw'), bookId, expectedVersion: null };
const reinstate: BooksCommand = { type: 'ReinstateBook', ...asked('reinstate'), bookId, expectedVersion: null };

/** What the commands lead to, one after the other. */
function outcomesOf(...commands: readonly BooksCommand[]) {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId });
  const input = driver.inputTopic(topics.booksCommands);
  for (const command of commands) input.pipeInput(command.bookId, command);
  return {
    events: driver.outputTopic(topics.booksEvents).readValues(),
    states: driver.outputTopic(topics.booksState).readValues(),
    outcomes: driver.outputTopic(topics.commandOutcomes).readValues(),
  };
}

test('a book from its creation to its withdrawal and back: an event, a state and an outcome for each step', () => {
  const edited: BooksCommand = {
    type: 'EditBook',
    ...asked('edit'),
    bookId,
    details: { ...details, title: 'Crime & Punishment' },
    expectedVersion: 2,
  };
  const { events, states, outcomes } = outcomesOf(create, change(900n, 1), edited, withdraw, reinstate);
  expect(events).toMatchObject([
    { type: 'BookCreated', version: 1 },
    { type: 'PriceChanged', version: 2, was: eur(1_200n), price: eur(900n) },
    { type: 'BookEdited', version: 3 },
    { type: 'BookWithdrawn', version: 4 },
    { type: 'BookReinstated', version: 5 },
  ]);
  expect(states.map((state) => [state?.version, state?.price, state?.details.title, state?.withdrawn])).toEqual([
    [1, eur(1_200n), 'Crime and Punishment', false],
    [2, eur(900n), 'Crime and Punishment', false],
    [3, eur(900n), 'Crime & Punishment', false],
    [4, eur(900n), 'Crime & Punishment', true],
    [5, eur(900n), 'Crime & Punishment', false],
  ]);
  expect(outcomes.map((outcome) => outcome?.type === 'CommandAccepted' && outcome.version)).toEqual([1, 2, 3, 4, 5]);
});

test.each<readonly [string, readonly BooksCommand[], string]>([
  ['an ISBN that is there', [create, { ...create, ...asked('again') }], 'BOOK_EXISTS'],
  ['a book that is not there', [change(900n, null)], 'NOT_FOUND'],
  ['a version that somebody else has passed', [create, change(900n, null), change(800n, 1)], 'VERSION_CONFLICT'],
  ['a second withdrawal', [create, withdraw, { ...withdraw, ...asked('again') }], 'REFUSED'],
  ['a return without a withdrawal', [create, reinstate], 'REFUSED'],
  ['a price below zero', [create, change(-1n, null)], 'INVALID_AMOUNT'],
  ['a price in dollars', [{ ...create, price: { amountMinor: 1n, currency: 'USD' } }], 'INVALID_AMOUNT'],
  ['an id of another ISBN', [{ ...create, bookId: bookIdOf('9780141439518') }], 'INVALID_INPUT'],
])('%s is refused, and the book stays as it is', (_what, commands, code) => {
  const { events, states, outcomes } = outcomesOf(...commands);
  expect(outcomes.at(-1)).toMatchObject({ type: 'CommandRejected', errors: [{ code }] });
  expect(events).toHaveLength(commands.length - 1);
  expect(states).toHaveLength(commands.length - 1);
});

test('a conflict tells the version there is', () => {
  const { outcomes } = outcomesOf(create, change(900n, null), change(800n, 1));
  expect(outcomes.at(-1)).toMatchObject({ errors: [{ details: { current: '2' } }] });
});

test('a repeat changes nothing, whatever version it expects', () => {
  const { events, outcomes } = outcomesOf(create, change(900n, 1), change(900n, 1));
  expect(events).toHaveLength(2);
  expect(outcomes.at(-1)).toEqual({ ...outcomes[1], replayed: true });
});
