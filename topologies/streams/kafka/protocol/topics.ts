import { ByteWriter } from '../bytes.ts';
import type { TopicPartition, TopicSpec } from '../port.ts';
import { api, type PartitionErrors, type Request, readTopics, writeTopics } from './request.ts';

export const createTopicsRequest = (
  topics: readonly TopicSpec[],
): Request<readonly { readonly topic: string; readonly errorCode: number; readonly message: string | null }[]> => {
  const writer = new ByteWriter();
  writer.compactArray(topics, (topic) => {
    writer
      .compactString(topic.name)
      .int32(topic.partitions)
      .int16(topic.replicationFactor ?? -1)
      .uvarint(1);
    writer.compactArray(Object.entries(topic.config ?? {}), ([name, value]) => {
      writer.compactString(name).compactString(value);
    });
  });
  writer.int32(30_000).bool(false).int8(0);
  return {
    api: api('CreateTopics', 19, 5, true),
    body: [writer.bytes()],
    waitMs: 30_000,
    read: (reader) => {
      const throttleMs = reader.int32();
      const value = reader.compactArray(() => {
        const result = {
          topic: reader.compactString() ?? '',
          errorCode: reader.int16(),
          message: reader.compactString(),
        };
        reader.int32();
        reader.int16();
        reader.compactArray(() => {
          reader.compactString();
          reader.compactString();
          reader.position += 3; // read-only, source, sensitive
        });
        return result;
      });
      return { throttleMs, value };
    },
  };
};

export const deleteTopicsRequest = (
  topics: readonly string[],
): Request<readonly { readonly topic: string; readonly errorCode: number }[]> => {
  const writer = new ByteWriter().uvarint(topics.length + 1);
  for (const topic of topics) writer.compactString(topic);
  writer.int32(30_000).int8(0);
  return {
    api: api('DeleteTopics', 20, 4, true),
    body: [writer.bytes()],
    waitMs: 30_000,
    read: (reader) => ({
      throttleMs: reader.int32(),
      value: reader.compactArray(() => ({ topic: reader.compactString() ?? '', errorCode: reader.int16() })),
    }),
  };
};

/** -1: the log end, -2: its start, else the first offset whose timestamp is at or after it (-1 when there is none). */
export const listOffsetsRequest = (
  partitions: readonly TopicPartition[],
  timestamp: number,
): Request<readonly (TopicPartition & { readonly errorCode: number; readonly offset: number })[]> => {
  // Isolation 0: the true end of the log, which an open transaction does not hide.
  const writer = new ByteWriter().int32(-1).int8(0);
  writeTopics(writer, partitions, () => writer.int32(-1).int64(timestamp)).int8(0);
  return {
    api: api('ListOffsets', 2, 7, true),
    body: [writer.bytes()],
    read: (reader) => ({
      throttleMs: reader.int32(),
      value: readTopics(reader, (topic, partition) => {
        const errorCode = reader.int16();
        reader.int64();
        const offset = reader.int64();
        reader.int32();
        return { topic, partition, errorCode, offset };
      }),
    }),
  };
};

export const deleteRecordsRequest = (
  before: readonly (TopicPartition & { readonly offset: number })[],
): Request<PartitionErrors> => {
  const writer = new ByteWriter();
  writeTopics(writer, before, ({ offset }) => writer.int64(offset))
    .int32(30_000)
    .int8(0);
  return {
    api: api('DeleteRecords', 21, 2, true),
    body: [writer.bytes()],
    waitMs: 30_000,
    read: (reader) => ({
      throttleMs: reader.int32(),
      value: readTopics(reader, (topic, partition) => {
        reader.int64();
        return { topic, partition, errorCode: reader.int16() };
      }),
    }),
  };
};

export interface TopicConfigs {
  readonly topic: string;
  readonly errorCode: number;
  readonly message: string | null;
  readonly configs: ReadonlyMap<string, string>;
}

const topicResource = 2;

export const describeConfigsRequest = (topics: readonly string[]): Request<readonly TopicConfigs[]> => {
  const writer = new ByteWriter();
  writer
    .compactArray(topics, (topic) => writer.int8(topicResource).compactString(topic).uvarint(0)) // no list of names: all settings
    .bool(false)
    .bool(false)
    .int8(0);
  return {
    api: api('DescribeConfigs', 32, 4, true),
    body: [writer.bytes()],
    read: (reader) => ({
      throttleMs: reader.int32(),
      value: reader.compactArray(() => {
        const errorCode = reader.int16();
        const message = reader.compactString();
        reader.int8();
        const topic = reader.compactString() ?? '';
        const configs = reader.compactArray(() => {
          const [name, value] = [reader.compactString() ?? '', reader.compactString() ?? ''];
          reader.bool(); // read only
          reader.int8(); // where from
          reader.bool(); // sensitive
          reader.compactArray(() => [reader.compactString(), reader.compactString(), reader.int8()]); // synonyms
          reader.int8(); // type
          reader.compactString(); // documentation
          return [name, value] as const;
        });
        return { topic, errorCode, message, configs: new Map(configs) };
      }),
    }),
  };
};
