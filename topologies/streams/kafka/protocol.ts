import { type ByteReader, ByteWriter } from './bytes.ts';
import type { Api } from './link.ts';
import type { CommittedOffset, GroupMetadata, TopicPartition, TopicSpec } from './port.ts';
import type { AbortedTransaction } from './record-batch.ts';

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

const api = (name: string, key: number, version: number, flexible: boolean): Api => ({ name, key, version, flexible });

/** Groups by topic, keeping the order of first sight. */
const byTopic = <T extends TopicPartition>(items: readonly T[]): readonly (readonly [string, readonly T[]])[] => {
  const topics = new Map<string, T[]>();
  for (const item of items) {
    const list = topics.get(item.topic);
    if (list) list.push(item);
    else topics.set(item.topic, [item]);
  }
  return [...topics];
};

const writeTopics = <T extends TopicPartition>(
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

const readTopics = <T>(reader: ByteReader, read: (topic: string, partition: number) => T): readonly T[] =>
  reader
    .compactArray(() => {
      const topic = reader.compactString() ?? '';
      return reader.compactArray(() => read(topic, reader.int32()));
    })
    .flat();

// --- cluster ---------------------------------------------------------------------------------------------------------------------

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

export interface ListedTransactions {
  readonly errorCode: number;
  readonly transactionalIds: readonly string[];
}

/** Transactions that a broker coordinates and that are not finished. */
export const listTransactionsRequest = (): Request<ListedTransactions> => {
  const writer = new ByteWriter();
  const states = ['Ongoing', 'PrepareCommit', 'PrepareAbort', 'PrepareEpochFence'];
  writer.uvarint(states.length + 1);
  for (const state of states) writer.compactString(state);
  writer.uvarint(1).int8(0);
  return {
    api: api('ListTransactions', 66, 0, true),
    body: [writer.bytes()],
    read: (reader) => {
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      for (let unknown = reader.uvarint() - 1; unknown > 0; unknown--) reader.compactString();
      const transactionalIds = reader.compactArray(() => {
        const id = reader.compactString() ?? '';
        reader.int64();
        reader.compactString();
        return id;
      });
      return { throttleMs, value: { errorCode, transactionalIds } };
    },
  };
};

// --- producing -------------------------------------------------------------------------------------------------------------------

export interface ProducerId {
  readonly errorCode: number;
  readonly producerId: number;
  readonly producerEpoch: number;
}

export const initProducerIdRequest = (transactionalId: string | null, timeoutMs: number): Request<ProducerId> => ({
  api: api('InitProducerId', 22, 4, true),
  body: [new ByteWriter().compactString(transactionalId).int32(timeoutMs).int64(-1).int16(-1).int8(0).bytes()],
  read: (reader) => ({
    throttleMs: reader.int32(),
    value: { errorCode: reader.int16(), producerId: reader.int64(), producerEpoch: reader.int16() },
  }),
});

export interface PartitionBatch extends TopicPartition {
  readonly batch: Uint8Array;
}

export interface ProducedPartition extends TopicPartition {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly message: string | null;
}

/**
 * v12 says that the client knows TV2 (KIP-890): the broker adds the partitions to the transaction by itself. v9, of the same form, is for brokers
 * of any age. One batch a partition.
 */
export const produceRequest = (
  transactionalId: string | null,
  batches: readonly PartitionBatch[],
  timeoutMs: number,
): Request<readonly ProducedPartition[]> => {
  const body: Uint8Array[] = [];
  const writer = new ByteWriter();
  let from = 0;
  writer.compactString(transactionalId).int16(-1).int32(timeoutMs);
  // The batches stay where they are: the body is a list of pieces, and the writer's slab may move while it grows, so cuts are copied.
  const cut = (): void => {
    body.push(Buffer.from(writer.bytes(from)));
    from = writer.position;
  };
  writer.compactArray(byTopic(batches), ([topic, partitions]) => {
    writer.compactString(topic).compactArray(partitions, ({ partition, batch }) => {
      writer.int32(partition).uvarint(batch.length + 1);
      cut();
      body.push(batch);
    });
  });
  writer.int8(0);
  cut();
  return {
    api: api('Produce', 0, transactionalId === null ? 9 : 12, true),
    body,
    waitMs: timeoutMs,
    read: (reader) => {
      const value = readTopics(reader, (topic, partition): ProducedPartition => {
        const errorCode = reader.int16();
        const baseOffset = reader.int64();
        reader.int64();
        reader.int64();
        let message: string | null = null;
        reader.compactArray(() => {
          reader.int32();
          message = reader.compactString() ?? message;
        });
        message = reader.compactString() ?? message;
        return { topic, partition, errorCode, baseOffset, message };
      });
      return { throttleMs: reader.int32(), value };
    },
  };
};

export const txnOffsetCommitRequest = (
  transactionalId: string,
  producer: ProducerId,
  group: GroupMetadata,
  offsets: readonly CommittedOffset[],
): Request<PartitionErrors> => {
  const writer = new ByteWriter();
  writer.compactString(transactionalId).compactString(group.groupId);
  writer.int64(producer.producerId).int16(producer.producerEpoch);
  writer.int32(group.generationId).compactString(group.memberId).compactString(group.groupInstanceId);
  writeTopics(writer, offsets, ({ offset, metadata }) => writer.int64(offset).int32(-1).compactString(metadata)).int8(
    0,
  );
  return {
    api: api('TxnOffsetCommit', 28, 5, true),
    body: [writer.bytes()],
    read: (reader) => ({
      throttleMs: reader.int32(),
      value: readTopics(reader, (topic, partition) => ({ topic, partition, errorCode: reader.int16() })),
    }),
  };
};

/** The answer carries the id and epoch for the next transaction: the epoch rises with each, the id changes when it has run out. */
export const endTxnRequest = (transactionalId: string, producer: ProducerId, commit: boolean): Request<ProducerId> => ({
  api: api('EndTxn', 26, 5, true),
  body: [
    new ByteWriter()
      .compactString(transactionalId)
      .int64(producer.producerId)
      .int16(producer.producerEpoch)
      .bool(commit)
      .int8(0)
      .bytes(),
  ],
  read: (reader) => ({
    throttleMs: reader.int32(),
    value: { errorCode: reader.int16(), producerId: reader.int64(), producerEpoch: reader.int16() },
  }),
});

// --- offsets and group -----------------------------------------------------------------------------------------------------------

export const offsetCommitRequest = (
  group: GroupMetadata,
  offsets: readonly CommittedOffset[],
): Request<PartitionErrors> => {
  const writer = new ByteWriter();
  writer
    .compactString(group.groupId)
    .int32(group.generationId)
    .compactString(group.memberId)
    .compactString(group.groupInstanceId);
  writeTopics(writer, offsets, ({ offset, metadata }) => writer.int64(offset).int32(-1).compactString(metadata)).int8(
    0,
  );
  return {
    api: api('OffsetCommit', 8, 8, true),
    body: [writer.bytes()],
    read: (reader) => ({
      throttleMs: reader.int32(),
      value: readTopics(reader, (topic, partition) => ({ topic, partition, errorCode: reader.int16() })),
    }),
  };
};

export interface FetchedOffsets {
  readonly errorCode: number;
  /** Offset -1: none. */
  readonly partitions: readonly (CommittedOffset & { readonly errorCode: number })[];
}

export const offsetFetchRequest = (
  groupId: string,
  partitions: readonly TopicPartition[],
  requireStable: boolean,
): Request<FetchedOffsets> => {
  const writer = new ByteWriter().compactString(groupId);
  writer.compactArray(byTopic(partitions), ([topic, list]) => {
    writer.compactString(topic).uvarint(list.length + 1);
    for (const { partition } of list) writer.int32(partition);
  });
  writer.bool(requireStable).int8(0);
  return {
    api: api('OffsetFetch', 9, 7, true),
    body: [writer.bytes()],
    read: (reader) => {
      const throttleMs = reader.int32();
      const found = readTopics(reader, (topic, partition) => {
        const offset = reader.int64();
        reader.int32();
        const metadata = reader.compactString();
        return { topic, partition, offset, metadata: metadata === '' ? null : metadata, errorCode: reader.int16() };
      });
      return { throttleMs, value: { errorCode: reader.int16(), partitions: found } };
    },
  };
};

export interface DescribedGroup {
  readonly errorCode: number;
  /** `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty`, `Dead` */
  readonly state: string;
  /** Name of the protocol that its members have agreed on; empty amid a rebalance. */
  readonly protocol: string;
  readonly members: readonly { readonly memberId: string; readonly groupInstanceId: string | null }[];
}

export const describeGroupRequest = (groupId: string): Request<DescribedGroup> => {
  const writer = new ByteWriter();
  writer.uvarint(2).compactString(groupId).bool(false).int8(0);
  return {
    api: api('DescribeGroups', 15, 5, true),
    body: [writer.bytes()],
    read: (reader) => {
      const throttleMs = reader.int32();
      const groups = reader.compactArray((): DescribedGroup => {
        const errorCode = reader.int16();
        reader.compactString(); // its id
        const state = reader.compactString() ?? '';
        reader.compactString(); // protocol type
        const protocol = reader.compactString() ?? '';
        const members = reader.compactArray(() => {
          const memberId = reader.compactString() ?? '';
          const groupInstanceId = reader.compactString();
          reader.compactString(); // client id
          reader.compactString(); // its host
          for (const _ of ['metadata', 'assignment']) reader.bytes(Math.max(0, reader.uvarint() - 1));
          return { memberId, groupInstanceId };
        });
        reader.int32(); // authorized operations
        return { errorCode, state, protocol, members };
      });
      return { throttleMs, value: groups[0] ?? { errorCode: 0, state: 'Dead', protocol: '', members: [] } };
    },
  };
};

/** @returns Kafka's error code */
export const deleteGroupRequest = (groupId: string): Request<number> => {
  const writer = new ByteWriter().uvarint(2).compactString(groupId).int8(0);
  return {
    api: api('DeleteGroups', 42, 2, true),
    body: [writer.bytes()],
    read: (reader) => {
      const throttleMs = reader.int32();
      const codes = reader.compactArray(() => {
        reader.compactString(); // its id
        return reader.int16();
      });
      return { throttleMs, value: codes[0] ?? 0 };
    },
  };
};

/** Ends a static membership for good (KIP-345): without it the place is kept until the session times out. The member id may be empty. */
export const leaveGroupRequest = (groupId: string, memberId: string, groupInstanceId: string): Request<number> => {
  const writer = new ByteWriter().compactString(groupId);
  writer.compactArray([0], () => writer.compactString(memberId).compactString(groupInstanceId)).int8(0);
  return {
    api: api('LeaveGroup', 13, 4, true),
    body: [writer.bytes()],
    read: (reader) => ({ throttleMs: reader.int32(), value: reader.int16() }),
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

// --- fetching --------------------------------------------------------------------------------------------------------------------

export interface FetchPosition extends TopicPartition {
  readonly position: number;
}

export interface FetchedPartition extends TopicPartition {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Buffer;
}

export interface FetchLimits {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
  readonly readCommitted: boolean;
}

const nothing = Buffer.alloc(0);

/** Answers as soon as there is one byte, or after `maxWaitMs`. */
export const fetchRequest = (
  positions: readonly FetchPosition[],
  limits: FetchLimits,
): Request<{ readonly errorCode: number; readonly partitions: readonly FetchedPartition[] }> => {
  const writer = new ByteWriter(64 + positions.length * 48);
  writer
    .int32(-1)
    .int32(limits.maxWaitMs)
    .int32(1)
    .int32(limits.maxBytes)
    .int8(limits.readCommitted ? 1 : 0);
  writer.int32(0).int32(-1); // no fetch session
  const topics = byTopic(positions);
  writer.int32(topics.length);
  for (const [topic, partitions] of topics) {
    writer.string(topic).int32(partitions.length);
    for (const { partition, position } of partitions) {
      writer.int32(partition).int32(-1).int64(position).int64(-1).int32(limits.maxBytesPerPartition);
    }
  }
  writer.int32(0).string('');
  return {
    api: api('Fetch', 1, 11, false),
    body: [writer.bytes()],
    waitMs: limits.maxWaitMs,
    read: (reader) => {
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      reader.int32(); // session
      const partitions = reader.array(() => {
        const topic = reader.string();
        return reader.array((): FetchedPartition => {
          const partition = reader.int32();
          const partitionError = reader.int16();
          const highWatermark = reader.int64();
          const lastStableOffset = reader.int64();
          const logStartOffset = reader.int64();
          const aborted = reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }));
          reader.int32(); // preferred replica
          const length = reader.int32();
          const records = length > 0 ? reader.bytes(length) : nothing;
          return {
            topic,
            partition,
            errorCode: partitionError,
            highWatermark,
            lastStableOffset,
            logStartOffset,
            aborted,
            records,
          };
        });
      });
      return { throttleMs, value: { errorCode, partitions: partitions.flat() } };
    },
  };
};
