import { isDeepStrictEqual } from 'node:util';
import { type ConsumedRecord, type KafkaPort, partitionName } from '../../kafka/index.ts';
import { type OrderEvents, statusOf } from './orders.ts';
import type { OrderStatus } from './serdes.ts';
import { type outputTopics, partitions } from './topology.ts';

const text = new TextDecoder();

/** Everything that is committed on a topic, partition by partition in the order of offsets. */
export async function readCommitted(
  kafka: KafkaPort,
  topic: string,
  take: (record: ConsumedRecord) => void,
): Promise<void> {
  const parts = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const ends = await kafka.endOffsets(parts);
  const left = new Set(parts.map(partitionName).filter((name) => (ends.get(name) ?? 0) > 0));
  if (left.size === 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    onBatch: (batch) => {
      for (const record of batch.records) take(record);
      const name = partitionName(batch);
      if (batch.nextOffset < (ends.get(name) ?? 0)) return;
      left.delete(name);
      if (left.size === 0) resolve();
    },
    onOutOfRange: ({ partition }) => reject(new Error(`${topic}-${partition} does not begin at 0`)),
    onError: reject,
  });
  const timer = setTimeout(
    () => reject(new Error(`${topic} was not read in a minute: is a transaction open?`)),
    60_000,
  );
  for (const part of parts) fetcher.assign(part, 0);
  await promise.finally(async () => {
    clearTimeout(timer);
    await fetcher.close();
  });
}

/**
 * Both outputs against what plain code makes of the same input: one status record an order, with the right fields; the last record of each book with the
 * right sums; and counts that rise by one where every update is told, else that rise.
 * @throws with the first of the mistakes
 */
export async function verify(
  kafka: KafkaPort,
  topics: ReturnType<typeof outputTopics>,
  input: Iterable<OrderEvents>,
  tellsEveryUpdate: boolean,
): Promise<void> {
  const mistakes: string[] = [];
  const open = new Map<string, OrderStatus>();
  const sums = new Map<string, { count: number; revenueMinor: number }>();
  for (const events of input) {
    const status = statusOf(events);
    open.set(status.orderId, status);
    const sum = sums.get(status.bookId) ?? { count: 0, revenueMinor: 0 };
    sums.set(status.bookId, { count: sum.count + 1, revenueMinor: sum.revenueMinor + status.amountMinor });
  }

  const { orderStatus, bookSales } = topics;
  await readCommitted(kafka, orderStatus.name, ({ key, value }) => {
    const orderId = text.decode(key ?? undefined);
    const status = orderStatus.valueSerde.deserialize(orderStatus.name, value ?? new Uint8Array());
    const expected = open.get(orderId);
    open.delete(orderId);
    if (expected === undefined) mistakes.push(`order ${orderId} has a second status, or was never placed`);
    else if (!isDeepStrictEqual(status, expected))
      mistakes.push(`${JSON.stringify(status)} should be ${JSON.stringify(expected)}`);
  });
  if (open.size > 0) mistakes.push(`${open.size} orders have no status, among them ${open.keys().next().value}`);

  const told = new Map<string, { count: number; revenueMinor: number }>();
  await readCommitted(kafka, bookSales.name, ({ key, value }) => {
    const keyed = text.decode(key ?? undefined);
    const { bookId, count, revenueMinor } = bookSales.valueSerde.deserialize(bookSales.name, value ?? new Uint8Array());
    const before = told.get(bookId)?.count ?? 0;
    if (keyed !== bookId || count <= before || (tellsEveryUpdate && count !== before + 1))
      mistakes.push(`book ${keyed} had ${before} sales, and then ${bookId} has ${count}`);
    told.set(bookId, { count, revenueMinor });
  });
  if (told.size > sums.size) mistakes.push(`${told.size} books were sold, not ${sums.size}`);
  for (const [bookId, sum] of sums) {
    if (!isDeepStrictEqual(told.get(bookId), sum))
      mistakes.push(`book ${bookId} ends with ${JSON.stringify(told.get(bookId))}, not ${JSON.stringify(sum)}`);
  }
  if (mistakes.length > 0)
    throw new Error(
      `the answer is wrong in ${mistakes.length} places, so its speed does not count:\n${mistakes.slice(0, 5).join('\n')}`,
    );
}
