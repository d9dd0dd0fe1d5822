import { ExpectedAnswers } from '../bench/order-flow/expected-answers.ts';
import type { OrderEvents } from '../bench/order-flow/orders.ts';
import { type outputTopics, partitions } from '../bench/order-flow/topology.ts';
import { type KafkaPort, partitionForKey } from '../kafka/index.ts';
import { readCommitted } from '../test/read-committed.ts';

/**
 * Judges what a run has committed, against what plain code makes of the same orders.
 *
 * Of `bench-order-status` each partition must hold the sequence of an undisturbed run. With all inputs there from the beginning it is known without
 * one: the engine takes the record with the smallest timestamp first, a payment is the latest of its order's three records, so a partition's status
 * records stand in the order of its payments, whoever reads them and how often he dies. (The row "undisturbed" shows that it is so.)
 * Of `bench-book-sales` each count must be one more than the last of its book, and the last ones what the input adds up to: how the sales of
 * different books interleave is left to arrival.
 *
 * @param orders in the order in which their payments were written
 * @returns mistakes, none if nothing was lost and nothing doubled
 */
export async function judge(
  kafka: KafkaPort,
  { orderStatus, bookSales }: ReturnType<typeof outputTopics>,
  orders: readonly OrderEvents[],
): Promise<readonly string[]> {
  const answers = new ExpectedAnswers(orders, true);
  const text = new TextEncoder();
  const expected = Array.from({ length: partitions }, (): string[] => []);
  for (const { order } of orders)
    expected[partitionForKey(text.encode(order.orderId), partitions)]?.push(order.orderId);
  const seen = Array.from({ length: partitions }, (): string[] => []);
  await readCommitted(kafka, orderStatus.name, (record) => {
    answers.takeStatus(record);
    seen[record.partition]?.push(Buffer.from(record.key ?? []).toString());
  });
  await readCommitted(kafka, bookSales.name, (record) => answers.takeSales(record));
  const sequences = expected.flatMap((orderIds, partition) => {
    const there = seen[partition] ?? [];
    const at = orderIds.findIndex((orderId, index) => there[index] !== orderId);
    if (at < 0 && there.length === orderIds.length) return [];
    const from = at < 0 ? orderIds.length : at;
    return [
      `${orderStatus.name}-${partition} has ${there[from] ?? 'nothing'} as record ${from}, where undisturbed has ${orderIds[from] ?? 'nothing'}`,
    ];
  });
  return [...sequences, ...answers.mistakes()];
}
