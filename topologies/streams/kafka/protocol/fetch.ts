import { ByteWriter } from '../bytes.ts';
import type { TopicPartition } from '../port.ts';
import type { AbortedTransaction } from '../record-batch.ts';
import { api, byTopic, type Request } from './request.ts';

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
