import type { KafkaPort } from '../../kafka/index.ts';
import { inTimeOrder, ordersOf } from './orders.ts';
import { inputTopics, partitions } from './topology.ts';

/** Makes the three input topics, and writes `count` orders with their reservations and payments into them. @returns bytes of a value, in the mean */
export async function loadInputs(kafka: KafkaPort, suffix: string, count: number, startMs: number): Promise<number> {
  const topics = inputTopics(suffix);
  await kafka.createTopics(Object.values(topics).map(({ name }) => ({ name, partitions })));
  const producer = await kafka.producer();
  let bytes = 0;
  for (const records of inTimeOrder(topics, ordersOf(count, startMs))) {
    for (const { value } of records) bytes += value?.length ?? 0;
    await producer.send(records);
  }
  await producer.close();
  return bytes / (3 * count);
}
