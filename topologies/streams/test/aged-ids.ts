import type { ClusterClient } from '../kafka/cluster-client.ts';
import { type ConsumedRecord, connectKafka, type ProducedRecord } from '../kafka/index.ts';
import { initialise } from '../kafka/transactional-producer.ts';
import type { KafkaBroker } from './kafka-broker.ts';

const topic = '__transaction_state';
/** Whom a broker lets write to its own topics (`AdminUtils.ADMIN_CLIENT_ID`). */
const clientId = '__admin_client';

/**
 * Begins transactional ids, and ages them by tens of thousands of transactions: the broker's own record of each is written again with a higher epoch
 * (TransactionLogValue: i16 version, i64 producer id, i16 epoch, …), and the broker is started anew, so that it reads them.
 * @param epochs by transactional id: the next one that begins it has one more
 * @returns their producer ids
 */
export async function ageIds(
  broker: KafkaBroker,
  client: ClusterClient,
  partitionCount: number,
  epochs: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, number>> {
  const producerIds = new Map<string, number>();
  for (const id of epochs.keys()) producerIds.set(id, (await initialise(client, id)).producerId);
  const kafka = await connectKafka({ bootstrapServers: broker.bootstrapServers, clientId });
  const aged = new Map<string, ProducedRecord>();
  const all = Promise.withResolvers<void>();
  const take = (record: ConsumedRecord): void => {
    const id = Buffer.from(record.key ?? []).toString('utf8', 4); // i16 version, i16 length
    const epoch = epochs.get(id);
    if (epoch === undefined) return;
    const value = Buffer.from(record.value ?? []);
    value.writeInt16BE(epoch, 10);
    const { partition, key, headers } = record; // named one by one: a record's bytes are no properties of its own
    aged.set(id, { topic, partition, timestamp: Date.now(), key, value, headers });
    if (aged.size === epochs.size) all.resolve();
  };
  const fetcher = kafka.fetcher({
    isolation: 'read_uncommitted',
    onBatch: ({ records }) => {
      for (const record of records) take(record);
    },
    onOutOfRange: () => {},
    onError: all.reject,
  });
  for (let partition = 0; partition < partitionCount; partition += 1) fetcher.assign({ topic, partition }, 0);
  await all.promise;
  await fetcher.close();
  const producer = await kafka.producer();
  await producer.send([...aged.values()]);
  await producer.close();
  await kafka.close();
  await broker.kill();
  await broker.restart();
  return producerIds;
}
