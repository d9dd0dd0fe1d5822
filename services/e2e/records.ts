import { payloadHashOf } from '@bookstream/schemas/payload-hash';
import { type Topic, topics } from '@bookstream/schemas/topics';
import type { Meta } from '@bookstream/schemas/types/common';
import { type ProducedRecord, partitionForKey } from '@bookstream/streams/kafka/index';

/** What every command of a person begins with. @param name tells commands apart and stands for their payload */
export function commandOf(
  commandId: string,
  actor: string,
  name: readonly (string | number)[],
): { readonly meta: Meta; readonly payloadHash: string } {
  const ids = { eventId: commandId, commandId, correlationId: commandId, causationId: commandId };
  return { meta: { ...ids, actor, occurredAt: Date.now() }, payloadHash: payloadHashOf(name) };
}

/** A record as the gateway would send it: coded by the topic's serdes, on the partition of its key. */
export function recordOf<V>(topic: Topic<V>, key: string, value: V): ProducedRecord {
  const bytes = topic.keySerde.serialize(topic.name, key);
  return {
    topic: topic.name,
    partition: partitionForKey(bytes, topic.partitions),
    timestamp: Date.now(),
    key: bytes,
    value: topic.valueSerde.serialize(topic.name, value),
    headers: [],
  };
}

export const restockRecord = (commandId: string, bookId: string, quantity: number): ProducedRecord =>
  recordOf(topics.stockCommands, bookId, {
    type: 'Restock',
    ...commandOf(commandId, 'admin', [commandId]),
    bookId,
    quantity,
    reason: 'test',
  });
