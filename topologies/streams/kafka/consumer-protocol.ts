import { ByteReader, ByteWriter } from './bytes.ts';
import type { TopicPartition } from './port.ts';

/**
 * Bytes of Kafka's consumer protocol (ConsumerProtocolSubscription and ConsumerProtocolAssignment, version 1): what members tell the group
 * and what the leader tells members. Brokers pass them on unread, tools read them.
 */

export interface Subscription {
  readonly topics: readonly string[];
  readonly userData: Uint8Array;
  readonly owned: readonly TopicPartition[];
}

export interface Share {
  readonly partitions: readonly TopicPartition[];
  readonly userData: Uint8Array;
}

const writePartitions = (writer: ByteWriter, partitions: readonly TopicPartition[]): void => {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
  writer.int32(byTopic.size);
  for (const [topic, list] of byTopic) {
    writer.string(topic).int32(list.length);
    for (const { partition } of list) writer.int32(partition);
  }
};

const readPartitions = (reader: ByteReader): TopicPartition[] =>
  reader
    .array(() => {
      const topic = reader.string();
      return reader.array(() => reader.int32()).map((partition) => ({ topic, partition }));
    })
    .flat();

const writeBytes = (writer: ByteWriter, bytes: Uint8Array): void => {
  writer.int32(bytes.length).raw(bytes);
};

const readBytes = (reader: ByteReader): Uint8Array => {
  const length = reader.int32();
  return length < 0 ? new Uint8Array(0) : reader.bytes(length);
};

export function encodeSubscription({ topics, userData, owned }: Subscription): Buffer {
  const writer = new ByteWriter().int16(1).int32(topics.length);
  for (const topic of topics) writer.string(topic);
  writeBytes(writer, userData);
  writePartitions(writer, owned);
  return Buffer.from(writer.bytes());
}

export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new ByteReader(bytes);
  const version = reader.int16();
  const topics = reader.array(() => reader.string());
  const userData = readBytes(reader);
  return { topics, userData, owned: version >= 1 && reader.left > 0 ? readPartitions(reader) : [] };
}

export function encodeShare({ partitions, userData }: Share): Buffer {
  const writer = new ByteWriter().int16(1);
  writePartitions(writer, partitions);
  writeBytes(writer, userData);
  return Buffer.from(writer.bytes());
}

/** A member that joined late is given nothing, not even an empty share. */
export function decodeShare(bytes: Buffer): Share {
  if (bytes.length < 2) return { partitions: [], userData: new Uint8Array(0) };
  const reader = new ByteReader(bytes);
  reader.int16();
  return { partitions: readPartitions(reader), userData: reader.left > 0 ? readBytes(reader) : new Uint8Array(0) };
}
