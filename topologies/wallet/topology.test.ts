import { eur } from '@bookstream/schemas/money';
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import type { Money } from '@bookstream/schemas/types/common';
import type { WalletsCommand } from '@bookstream/schemas/types/wallets';
import { TopologyTestDriver } from '@bookstream/streams';
import { expect, test } from 'vitest';
import { ada, asked, meta, topologyOf } from '../shared/test/examples.ts';
import { applicationId, build } from './topology.ts';

useLocalSchemas();

const topUp = (amount: Money): WalletsCommand => ({
  type: 'TopUp',
  ...asked('top-up', amount),
  userId: ada,
  amount,
});
const about = { userId: ada, orderId: 'o1', holdId: 'h1' };

test('a hold and its capture: double entries that come to zero, and the same facts for the order', () => {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId });
  const commands = driver.inputTopic(topics.walletsCommands);
  commands.pipeInput(ada, topUp(eur(1_000n)));
  commands.pipeInput(ada, { type: 'HoldFunds', meta: meta('hold'), ...about, amount: eur(700n) });
  commands.pipeInput(ada, { type: 'CaptureFunds', meta: meta('capture'), ...about, amount: eur(700n) });
  commands.pipeInput(ada, { type: 'CaptureFunds', meta: meta('capture'), ...about, amount: eur(700n) });
  const ledger = driver.outputTopic(topics.walletsEvents).readValues();
  expect(ledger).toMatchObject([
    { type: 'WalletToppedUp', version: 1, balance: eur(1_000n), held: eur(0n) },
    { type: 'FundsHeld', version: 2, balance: eur(1_000n), held: eur(700n) },
    { type: 'FundsCaptured', version: 3, balance: eur(300n), held: eur(0n), released: eur(0n) },
  ]);
  for (const event of ledger) {
    expect(event?.entries.reduce((sum, entry) => sum + entry.amountMinor, 0n)).toBe(0n);
    expect(event?.entries.length).toBeGreaterThanOrEqual(2);
  }
  const answers = driver.outputTopic(topics.paymentsEvents).readKeyValues();
  expect(answers.map(([key, answer]) => [key, answer?.type])).toEqual([
    ['o1', 'PaymentAuthorized'],
    ['o1', 'PaymentCaptured'],
    ['o1', 'PaymentCaptured'],
  ]);
  expect(answers[2]?.[1]).toEqual(answers[1]?.[1]);
});

test.each([eur(0n), eur(-5n), { amountMinor: 500n, currency: 'USD' }])('%o cannot be topped up', (amount) => {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId });
  driver.inputTopic(topics.walletsCommands).pipeInput(ada, topUp(amount));
  expect(driver.outputTopic(topics.commandOutcomes).readValues()).toMatchObject([
    { type: 'CommandRejected', errors: [{ code: 'INVALID_AMOUNT', field: ['amount'] }] },
  ]);
  expect(driver.outputTopic(topics.walletsEvents).isEmpty).toBe(true);
});
