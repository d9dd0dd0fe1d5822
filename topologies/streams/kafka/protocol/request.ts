import type { ByteReader, ByteWriter } from '../bytes.ts';
import type { Api } from '../link.ts';
import type { TopicPartition } from '../port.ts';

/*
 * The requests that we send ourselves: of each API the one version that was tried on a broker. Field orders follow Kafka's message
 * definitions (clients/src/main/resources/common/message). Every answer's throttle time is read, so that quotas are obeyed.
 */

/** A request and how its answer is read. */
export interface Request<T> {
  readonly api: Api;
  readonly body: readonly Uint8Array[];
  /** How long the broker itself may take over it, on top of the usual. */
  readonly waitMs?: number;
  readonly read: (reader: ByteReader) => Answer<T>;
}

export interface Answer<T> {
  readonly throttleMs: number;
  readonly value: T;
}

/** An answer per partition. */
export type PartitionErrors = readonly (TopicPartition & { readonly errorCode: number })[];

export const api = (name: string, key: number, version: number, flexible: boolean): Api => ({
  name,
  key,
  version,
  flexible,
});

/** Groups by topic, keeping the order of first sight. */
export const byTopic = <T extends TopicPartition>(
  items: readonly T[],
): readonly (readonly [string, readonly T[]])[] => {
  const topics = new Map<string, T[]>();
  for (const item of items) {
    const list = topics.get(item.topic);
    if (list) list.push(item);
    else topics.set(item.topic, [item]);
  }
  return [...topics];
};

export const writeTopics = <T extends TopicPartition>(
  writer: ByteWriter,
  items: readonly T[],
  write: (item: T) => void,
): ByteWriter =>
  writer.compactArray(byTopic(items), ([topic, partitions]) => {
    writer.compactString(topic).compactArray(partitions, (item) => {
      writer.int32(item.partition);
      write(item);
    });
  });

export const readTopics = <T>(reader: ByteReader, read: (topic: string, partition: number) => T): readonly T[] =>
  reader
    .compactArray(() => {
      const topic = reader.compactString() ?? '';
      return reader.compactArray(() => read(topic, reader.int32()));
    })
    .flat();
