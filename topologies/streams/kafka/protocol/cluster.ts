import { type ByteReader, ByteWriter } from '../bytes.ts';
import { type Answer, api, type Request } from './request.ts';

export interface BrokerAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface ClusterMetadata {
  readonly brokers: readonly BrokerAddress[];
  readonly topics: readonly {
    readonly topic: string;
    readonly errorCode: number;
    /** The broker's own, such as `__consumer_offsets`. */
    readonly isInternal: boolean;
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly leader: number }[];
  }[];
}

const readMetadata = (reader: ByteReader): Answer<ClusterMetadata> => {
  const throttleMs = reader.int32();
  const brokers = reader.compactArray(() => {
    const broker = { nodeId: reader.int32(), host: reader.compactString() ?? '', port: reader.int32() };
    reader.compactString(); // rack
    return broker;
  });
  reader.compactString(); // cluster id
  reader.int32(); // controller
  const found = reader.compactArray(() => {
    const errorCode = reader.int16();
    const topic = reader.compactString() ?? '';
    const isInternal = reader.bool();
    const partitions = reader.compactArray(() => {
      const partition = { errorCode: reader.int16(), partition: reader.int32(), leader: reader.int32() };
      reader.int32(); // leader epoch
      for (let list = 0; list < 3; list++) for (let n = reader.uvarint() - 1; n > 0; n--) reader.int32();
      return partition;
    });
    reader.int32(); // authorised operations
    return { topic, errorCode, isInternal, partitions };
  });
  return { throttleMs, value: { brokers, topics: found } };
};

/** Topics asked for by name only: a question for all topics fails as soon as one partition anywhere has no leader. */
export const metadataRequest = (topics: readonly string[]): Request<ClusterMetadata> => {
  const writer = new ByteWriter();
  writer.compactArray(topics, (topic) => writer.compactString(topic));
  writer.bool(false).bool(false).bool(false).int8(0);
  return {
    api: api('Metadata', 3, 9, true),
    body: [writer.bytes()],
    read: readMetadata,
  };
};

/** Names of all topics that the user may see; those of the broker itself are left out. */
export const listTopicsRequest = (): Request<readonly string[]> => {
  const writer = new ByteWriter().uvarint(0); // null: all of them
  writer.bool(false).bool(false).bool(false).int8(0);
  return {
    api: api('Metadata', 3, 9, true),
    body: [writer.bytes()],
    read: (reader) => {
      const { throttleMs, value } = readMetadata(reader);
      return { throttleMs, value: value.topics.flatMap(({ topic, isInternal }) => (isInternal ? [] : [topic])) };
    },
  };
};

export interface CoordinatorAnswer extends BrokerAddress {
  readonly errorCode: number;
}

export const findCoordinatorRequest = (key: string, type: 'group' | 'transaction'): Request<CoordinatorAnswer> => ({
  api: api('FindCoordinator', 10, 3, true),
  body: [
    new ByteWriter()
      .compactString(key)
      .int8(type === 'group' ? 0 : 1)
      .int8(0)
      .bytes(),
  ],
  read: (reader) => {
    const throttleMs = reader.int32();
    const errorCode = reader.int16();
    reader.compactString(); // message
    const value = { errorCode, nodeId: reader.int32(), host: reader.compactString() ?? '', port: reader.int32() };
    return { throttleMs, value };
  },
});

/** Finalised features by name (KIP-584): kafkajs asks version 2, which cannot tell. */
export const featuresRequest = (): Request<ReadonlyMap<string, number>> => ({
  // The header of this one answer never has a tag section, so it is read as if it were not flexible and its request is built by hand.
  api: api('ApiVersions', 18, 3, false),
  body: [new ByteWriter().int8(0).compactString('bookstream').compactString('1').int8(0).bytes()],
  read: (reader) => {
    const errorCode = reader.int16();
    const features = new Map<string, number>();
    if (errorCode !== 0) return { throttleMs: 0, value: features };
    reader.compactArray(() => [reader.int16(), reader.int16(), reader.int16()]);
    const throttleMs = reader.int32();
    reader.tags((tag, field) => {
      if (tag !== 2) return;
      field.compactArray(() => {
        const name = field.compactString() ?? '';
        const max = field.int16();
        field.int16();
        features.set(name, max);
      });
    });
    return { throttleMs, value: features };
  },
});
