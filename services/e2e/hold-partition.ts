import type { ProducedRecord } from '@bookstream/streams/kafka/index';
import { Kafka, logLevel } from 'kafkajs';

/**
 * Keeps readers of committed records from going on in one partition: a transaction with `record` stands open in it until the hold is let go. An
 * order passes in hundredths of a second; behind a hold it stands where it is for as long as somebody wants to look.
 */
export async function holdPartition(kafkaUrl: string, record: ProducedRecord): Promise<{ letGo(): Promise<void> }> {
  const kafka = new Kafka({ brokers: kafkaUrl.split(','), clientId: 'hold-partition', logLevel: logLevel.NOTHING });
  const producer = kafka.producer({
    transactionalId: `hold-${crypto.randomUUID()}`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  const { topic, partition, timestamp, key, value } = record;
  const message = {
    partition,
    timestamp: String(timestamp),
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
  };
  await transaction.send({ topic, messages: [message] });
  return {
    async letGo() {
      await transaction.commit();
      await producer.disconnect();
    },
  };
}
