import type { KafkaPort } from '../../kafka/index.ts';
import { inTimeOrder, ordersOf, type Pace } from './orders.ts';
import { inputTopics, outputTopics, partitions } from './topology.ts';

/** Times in the records are those of events: no broker must take them for old. */
const keep = { 'retention.ms': '-1' };

export const createInputs = (kafka: KafkaPort, suffix: string): Promise<void> =>
  kafka.createTopics(Object.values(inputTopics(suffix)).map(({ name }) => ({ name, partitions, config: keep })));

export const createOutputs = (kafka: KafkaPort, suffix: string): Promise<void> =>
  kafka.createTopics(Object.values(outputTopics(suffix)).map(({ name }) => ({ name, partitions, config: keep })));

/** Writes `count` orders with their reservations and payments into the three input topics. @returns bytes of a value, in the mean */
export async function loadInputs(kafka: KafkaPort, suffix: string, count: number, pace: Pace): Promise<number> {
  const producer = await kafka.producer();
  let bytes = 0;
  for (const records of inTimeOrder(inputTopics(suffix), ordersOf(count, pace))) {
    for (const { value } of records) bytes += value?.length ?? 0;
    await producer.send(records);
  }
  await producer.close();
  return bytes / (3 * count);
}
