import { expect, test } from 'vitest';
import { StreamsBuilder, TopologyTestDriver } from '../../index.ts';
import type { ProducedRecord } from '../../kafka/index.ts';
import { ExpectedAnswers } from './expected-answers.ts';
import { inTimeOrder, ordersOf } from './orders.ts';
import { type BookSales, bookSalesSerde, type OrderStatus, orderStatusSerde } from './serdes.ts';
import { inputTopics, orderFlow, outputTopics } from './topology.ts';

const pace = { startMs: 1_700_000_000_000 };
const [inputs, outputs] = [inputTopics('-in'), outputTopics('-out')];
const count = 300;

/** Bytes of both outputs as the engine writes them. */
function answers(): { statuses: readonly ProducedRecord[]; sales: readonly ProducedRecord[] } {
  const builder = new StreamsBuilder();
  orderFlow(builder, inputs, outputs);
  using driver = new TopologyTestDriver(builder.build(), { partitions: 4, recordsPerCommit: 100 });
  for (const portion of inTimeOrder(inputs, ordersOf(count, pace))) driver.broker.append(portion);
  driver.run();
  const [statuses, sales] = [outputs.orderStatus, outputs.bookSales].map(({ name }) => driver.broker.records(name));
  return { statuses: statuses ?? [], sales: sales ?? [] };
}

const { statuses, sales } = answers();

function judge(given: { statuses?: readonly ProducedRecord[]; sales?: readonly ProducedRecord[] }, tellsEvery = true) {
  const expected = new ExpectedAnswers(ordersOf(count, pace), tellsEvery);
  for (const record of given.statuses ?? statuses) expected.takeStatus(record);
  for (const record of given.sales ?? sales) expected.takeSales(record);
  return () => expected.check();
}

const withStatus = (record: ProducedRecord, change: Partial<OrderStatus>): ProducedRecord => {
  const value = { ...orderStatusSerde.deserialize('', record.value ?? new Uint8Array()), ...change };
  return { ...record, value: orderStatusSerde.serialize('', value) };
};
const withSales = (record: ProducedRecord, change: Partial<BookSales>): ProducedRecord => {
  const value = { ...bookSalesSerde.deserialize('', record.value ?? new Uint8Array()), ...change };
  return { ...record, value: bookSalesSerde.serialize('', value) };
};

test("the engine's answers are those of plain code", () => {
  expect(statuses).toHaveLength(count);
  expect(sales).toHaveLength(count);
  expect(judge({})).not.toThrow();
});

test('a wrong answer is told: a status that is missing, twice there, or has another field', () => {
  expect(judge({ statuses: statuses.slice(1) })).toThrow('1 orders have no status');
  expect(judge({ statuses: [...statuses, ...statuses.slice(-1)] })).toThrow('a second status');
  expect(
    judge({ statuses: [...statuses.slice(1), ...statuses.slice(0, 1).map((one) => withStatus(one, { paidAt: 1 }))] }),
  ).toThrow('"paidAt":1}');
});

test('a wrong answer is told: a sale that is missing, twice there, or has another sum', () => {
  const last = sales.at(-1);
  if (last === undefined) throw new Error('there are sales');
  const book = new TextDecoder().decode(last.key ?? undefined);
  expect(judge({ sales: sales.slice(0, -1) })).toThrow(`book ${book} ends with`);
  expect(judge({ sales: [...sales, last] })).toThrow(`book ${book} had`);
  expect(judge({ sales: [...sales.slice(0, -1), withSales(last, { revenueMinor: 1 })] })).toThrow(
    `book ${book} ends with`,
  );
});

test('what is missing between two rows of a book is a mistake only where every update is told', () => {
  const key = (one: ProducedRecord) => new TextDecoder().decode(one.key ?? undefined);
  const lasts = [...Map.groupBy(sales, key).values()].flatMap((ofBook) => ofBook.slice(-1));
  expect(lasts.length).toBeLessThan(sales.length);
  expect(judge({ sales: lasts })).toThrow('had 0 sales, and then 2');
  expect(judge({ sales: lasts }, false)).not.toThrow();
});

test('the events are the same each time, and in the order of time', () => {
  const [once, again] = [1, 2].map(() => [...inTimeOrder(inputs, ordersOf(5_000, pace))].flat());
  expect(once).toEqual(again);
  expect(once).toHaveLength(15_000);
  const times = once?.map(({ timestamp }) => timestamp) ?? [];
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});
