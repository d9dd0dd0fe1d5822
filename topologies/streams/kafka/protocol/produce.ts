import { ByteWriter } from '../bytes.ts';
import type { CommittedOffset, GroupMetadata, TopicPartition } from '../port.ts';
import { api, byTopic, type PartitionErrors, type Request, readTopics, writeTopics } from './request.ts';

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
  /** Places in the batch of the records that are at fault. Empty: the broker names none. */
  readonly badRecords: readonly number[];
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
        const badRecords = reader.compactArray(() => {
          const index = reader.int32();
          message = reader.compactString() ?? message;
          return index;
        });
        message = reader.compactString() ?? message;
        return { topic, partition, errorCode, baseOffset, message, badRecords };
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
