import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import type { StockCommand } from '@bookstream/schemas/types/stock';
import { TopologyTestDriver } from '@bookstream/streams';
import { expect, test } from 'vitest';
import { asked, bookId, idOf, meta, topologyOf } from '../shared/test/examples.ts';
import { applicationId, build } from './topology.ts';

useLocalSchemas();

const restock = (quantity: number): StockCommand => ({
  type: 'Restock',
  ...asked('restock', quantity),
  bookId,
  quantity,
  reason: 'delivery',
});
const line = { bookId, orderId: 'o1', lineId: 'l1', attempt: 1 };
const reserve: StockCommand = { type: 'ReserveStock', meta: meta('reserve'), ...line, quantity: 2, onShort: 'REJECT' };
const release: StockCommand = { type: 'ReleaseStock', meta: meta('release'), ...line };

test('ledger and answer are twins: one cause, ids of their own, by book and by order', () => {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId });
  const commands = driver.inputTopic(topics.stockCommands);
  commands.pipeInput(bookId, restock(5));
  commands.pipeInput(bookId, reserve);
  const [, ledger] = driver.outputTopic(topics.stockEvents).readKeyValues();
  const [answer] = driver.outputTopic(topics.reservationsEvents).readKeyValues();
  expect(ledger).toMatchObject([bookId, { type: 'StockReserved', version: 2, meta: { causationId: idOf('reserve') } }]);
  expect(answer).toMatchObject(['o1', { type: 'LineReserved', quantity: 2, meta: { causationId: idOf('reserve') } }]);
  expect(ledger?.[1]?.meta.eventId).not.toBe(answer?.[1]?.meta.eventId);
});

test('steps that come again, also after a crash, move nothing and are answered; no id is used for two things', () => {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId });
  const commands = driver.inputTopic(topics.stockCommands);
  commands.pipeInput(bookId, restock(5));
  for (const command of [reserve, reserve, release]) commands.pipeInput(bookId, command);
  driver.crash();
  for (const command of [release, reserve]) commands.pipeInput(bookId, command);
  const ledger = driver.outputTopic(topics.stockEvents).readValues();
  const answers = driver.outputTopic(topics.reservationsEvents).readValues();
  expect(ledger.map((event) => event?.type)).toEqual(['StockRestocked', 'StockReserved', 'StockReleased']);
  expect(ledger.at(-1)).toMatchObject({ version: 3, level: { onHand: 5, reserved: 0, committed: 0 } });
  expect(answers.map((event) => event?.type)).toEqual([
    'LineReserved',
    'LineReserved',
    'LineReleased',
    'LineReleased',
    'LineReleased',
  ]);
  const contents = new Map<string | undefined, string>();
  for (const event of [...ledger, ...answers]) {
    const { meta: _meta, ...content } = event ?? {};
    const seen = contents.get(event?.meta.eventId);
    if (seen !== undefined) expect(JSON.stringify(content)).toBe(seen);
    contents.set(event?.meta.eventId, JSON.stringify(content));
  }
});

test('a key that is used again: the first outcome for the same input, one refusal for another', () => {
  using driver = new TopologyTestDriver(topologyOf(build), { applicationId });
  const commands = driver.inputTopic(topics.stockCommands);
  for (const quantity of [5, 5, 6, 6]) commands.pipeInput(bookId, restock(quantity));
  const refused = { type: 'CommandRejected', payloadHash: asked('restock', 6).payloadHash };
  expect(driver.outputTopic(topics.commandOutcomes).readValues()).toMatchObject([
    { type: 'CommandAccepted', replayed: false },
    { type: 'CommandAccepted', replayed: true },
    { ...refused, replayed: false, errors: [{ code: 'IDEMPOTENCY_KEY_REUSED' }] },
    { ...refused, replayed: true },
  ]);
  expect(driver.outputTopic(topics.stockEvents).readValues()).toHaveLength(1);
});
