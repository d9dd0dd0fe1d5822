import { ByteReader, type ByteWriter, putVarint, varintSize } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { type Decompressors, decompress } from './decompression.ts';
import { EncodedRecords } from './encoded-records.ts';
import { CorruptBatchError } from './errors.ts';
import type { FetchedRecords, Header } from './port.ts';
import { fieldsSize } from './record-fields.ts';
import type { PartitionRecords } from './record-pack.ts';

/*
 * Record batch, magic 2 (org.apache.kafka.common.record.internal.DefaultRecordBatch):
 * i64 base offset, i32 length from here, i32 leader epoch, i8 magic, u32 CRC-32C of all that follows, i16 attributes,
 * i32 last offset delta, i64 first timestamp, i64 max timestamp, i64 producer id, i16 epoch, i32 base sequence, i32 count, records.
 */
export const batchHeaderBytes = 61;
const lengthAt = 8;
const crcAt = 17;
const checkedFrom = 21;
const lastOffsetDeltaAt = 23;

const compressionMask = 0x07;
const logAppendTime = 0x08;
const transactionalBit = 0x10;
const controlBit = 0x20;

/** What a broker needs to refuse doubles and zombies; -1 everywhere for a producer without an id. */
export interface ProducerStamp {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
}

/** Upper bound of what a record takes in a batch beside its fields. */
export const recordOverhead = 25;

/** Exact size of a batch that holds one record alone, which is what a topic's max.message.bytes bounds. */
export const soleBatchSize = (key: Uint8Array | null, value: Uint8Array | null, headers: readonly Header[]): number => {
  const size = 3 + fieldsSize(key, value, headers);
  return batchHeaderBytes + varintSize(size) + size;
};

/** Records of a partition that stand together: those of `list` from `from` up to `to`. */
export interface Span {
  readonly list: PartitionRecords;
  readonly from: number;
  readonly to: number;
}

/** Writes the records as one batch at the writer's position. All are of one partition and keep their order. */
export const writeBatch = (writer: ByteWriter, spans: readonly Span[], stamp: ProducerStamp): void => {
  let count = 0;
  let bytes = 0;
  let maxTimestamp = Number.NEGATIVE_INFINITY;
  for (const { list, from, to } of spans) {
    count += to - from;
    bytes += list.startOf(to) - list.startOf(from);
    for (let index = from; index < to; index++) {
      const timestamp = list.timestamps[index] ?? 0;
      if (timestamp > maxTimestamp) maxTimestamp = timestamp;
    }
  }
  const [first] = spans;
  if (first === undefined || count === 0) throw new RangeError('A batch holds at least one record');
  const start = writer.position;
  const firstTimestamp = first.list.timestamps[first.from] ?? 0;
  writer.int64(0).int32(0).int32(-1).int8(2).uint32(0);
  writer.int16(stamp.transactional ? transactionalBit : 0).int32(count - 1);
  writer.int64(firstTimestamp).int64(maxTimestamp);
  writer.int64(stamp.producerId).int16(stamp.producerEpoch).int32(stamp.baseSequence).int32(count);
  const slab = writer.room(bytes + count * recordOverhead);
  let at = writer.position;
  let offsetDelta = 0;
  for (const { list, from, to } of spans) {
    const { slab: source, timestamps, ends } = list;
    let begin = list.startOf(from);
    for (let index = from; index < to; index++) {
      const end = ends[index] ?? begin;
      const timestampDelta = (timestamps[index] ?? 0) - firstTimestamp;
      at = putVarint(slab, at, 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + end - begin);
      slab[at++] = 0; // attributes
      at = putVarint(slab, at, timestampDelta);
      at = putVarint(slab, at, offsetDelta);
      source.copy(slab, at, begin, end);
      at += end - begin;
      begin = end;
      offsetDelta += 1;
    }
  }
  writer.position = at;
  writer.patchUint32(start + lengthAt, writer.position - start - lengthAt - 4);
  writer.patchUint32(start + crcAt, crc32c(writer.bytes(start + checkedFrom)));
};

/** A transaction that was aborted: batches of this producer from `firstOffset` to its abort marker are invisible. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface DecodedRecords {
  readonly records: FetchedRecords;
  /** Offset after the last complete batch, or the asked-for position where there was none. */
  readonly nextOffset: number;
}

/**
 * Reads what a Fetch answered for one partition: whole batches, cut off somewhere in the last. Their records are decoded later, one by one.
 * @param position records below it are left out (a batch is always sent whole)
 * @param aborted null reads uncommitted: every data record counts
 * @param decompressors for what Node does not unpack
 * @throws CorruptBatchError, UnsupportedCompressionError
 */
export const readBatches = (
  topic: string,
  partition: number,
  buffer: Buffer,
  position: number,
  aborted: readonly AbortedTransaction[] | null,
  decompressors: Decompressors = {},
): DecodedRecords => {
  const records = new EncodedRecords(topic, partition);
  const waiting = aborted === null ? [] : [...aborted].sort((one, other) => one.firstOffset - other.firstOffset);
  const abortedProducers = new Set<number>();
  const reader = new ByteReader(buffer);
  let nextOffset = position;
  while (reader.left >= batchHeaderBytes) {
    const start = reader.position;
    const baseOffset = reader.int64();
    const end = reader.int32() + start + lengthAt + 4;
    if (end > buffer.length) break;
    const where = `${topic}-${partition} offset ${baseOffset}`;
    reader.position = start + 16;
    const magic = reader.int8();
    // What only a checksum vouches for is taken on trust where it tells how to get past a batch without one.
    const lastOffset = baseOffset + buffer.readInt32BE(start + lastOffsetDeltaAt);
    const at = { topic, partition, offset: baseOffset, nextOffset: Math.max(baseOffset, lastOffset) + 1 };
    if (magic !== 2)
      throw new CorruptBatchError(
        `The batch at ${where} has magic ${magic}; only 2 is read (Kafka ≥ 4 writes no other)`,
        { at: magic > 2 ? at : { ...at, nextOffset: baseOffset + 1 } }, // older ones begin otherwise
      );
    if (reader.uint32() !== crc32c(buffer.subarray(start + checkedFrom, end))) {
      throw new CorruptBatchError(`The batch at ${where} fails its checksum; it was not delivered`, { at });
    }
    const attributes = reader.int16();
    reader.position += 4; // last offset delta
    const firstTimestamp = reader.int64();
    const maxTimestamp = reader.int64();
    const producerId = reader.int64();
    reader.position += 6; // epoch, base sequence
    const count = reader.int32();
    if (attributes & transactionalBit) {
      while (waiting[0] !== undefined && waiting[0].firstOffset <= lastOffset) {
        abortedProducers.add(waiting[0].producerId);
        waiting.shift();
      }
    }
    if (attributes & controlBit) {
      // Key of a control record: i16 version, i16 type; type 0 is ABORT. Nothing of it is delivered.
      const marker = new ByteReader(buffer.subarray(reader.position, end));
      marker.varint();
      marker.int8();
      marker.varint();
      marker.varint();
      marker.varint();
      marker.int16();
      if (marker.int16() === 0) abortedProducers.delete(producerId);
    } else if (lastOffset >= position && !(attributes & transactionalBit && abortedProducers.has(producerId))) {
      const packed = buffer.subarray(reader.position, end);
      const appendTime = attributes & logAppendTime ? maxTimestamp : null;
      try {
        const body = decompress(attributes & compressionMask, packed, where, decompressors);
        records.add({ body, count, baseOffset, firstTimestamp, appendTime }, position);
      } catch (error) {
        throw error instanceof CorruptBatchError ? new CorruptBatchError(error.message, { cause: error, at }) : error;
      }
    }
    if (lastOffset + 1 > nextOffset) nextOffset = lastOffset + 1;
    reader.position = end;
  }
  return { records, nextOffset };
};
