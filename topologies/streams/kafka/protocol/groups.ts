import { ByteWriter } from '../bytes.ts';
import type { CommittedOffset, GroupMetadata, TopicPartition } from '../port.ts';
import { api, byTopic, type PartitionErrors, type Request, readTopics, writeTopics } from './request.ts';

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
