import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { ByteReader, type ByteWriter, putBytes, putVarint, varintSize } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { EncodedRecords } from './encoded-records.ts';
import { CorruptBatchError, UnsupportedCompressionError } from './errors.ts';
import type { FetchedRecords, Header, ProducedRecord } from './port.ts';

/*
 * Record batch, magic 2 (org.apache.kafka.common.record.internal.DefaultRecordBatch):
 * i64 base offset, i32 length from here, i32 leader epoch, i8 magic, u32 CRC-32C of all that follows, i16 attributes,
 * i32 last offset delta, i64 first timestamp, i64 max timestamp, i64 producer id, i16 epoch, i32 base sequence, i32 count, records.
 */
const headerBytes = 61;
const lengthAt = 8;
const crcAt = 17;
const checkedFrom = 21;

const compressionMask = 0x07;
const logAppendTime = 0x08;
const transactionalBit = 0x10;
const controlBit = 0x20;

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** What a broker needs to refuse doubles and zombies; -1 everywhere for a producer without an id. */
export interface ProducerStamp {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
}

const fieldSize = (bytes: Uint8Array | null): number => (bytes === null ? 1 : varintSize(bytes.length) + bytes.length);

const headerSize = ([name, value]: Header): number => {
  const length = Buffer.byteLength(name);
  return varintSize(length) + length + fieldSize(value);
};

/** Upper bound of a record's share of a batch; for cutting batches to size before they are written. */
export const recordSizeBound = (record: ProducedRecord): number => {
  let size = 40 + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const header of record.headers) size += headerSize(header);
  return size;
};

/** Exact size of a batch that holds this record alone, which is what a topic's max.message.bytes bounds. */
export const soleBatchSize = (record: ProducedRecord): number => {
  let size = 3 + fieldSize(record.key) + fieldSize(record.value) + varintSize(record.headers.length);
  for (const header of record.headers) size += headerSize(header);
  return headerBytes + varintSize(size) + size;
};

const putField = (slab: Uint8Array, at: number, bytes: Uint8Array | null): number =>
  bytes === null ? putVarint(slab, at, -1) : putBytes(slab, putVarint(slab, at, bytes.length), bytes);

const writeRecord = (writer: ByteWriter, record: ProducedRecord, timestampDelta: number, offsetDelta: number): void => {
  const { key, value, headers } = record;
  let size = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + fieldSize(key) + fieldSize(value);
  size += varintSize(headers.length);
  for (const header of headers) size += headerSize(header);
  const slab = writer.room(size + 5);
  let at = putVarint(slab, writer.position, size);
  slab[at++] = 0;
  at = putVarint(slab, at, timestampDelta);
  at = putVarint(slab, at, offsetDelta);
  at = putField(slab, at, key);
  at = putField(slab, at, value);
  at = putVarint(slab, at, headers.length);
  for (const [name, bytes] of headers) at = putField(slab, putField(slab, at, Buffer.from(name, 'utf8')), bytes);
  writer.position = at;
};

/** Writes `records[from..to)` as one batch at the writer's position. All are of one partition and keep their order. */
export const writeBatch = (
  writer: ByteWriter,
  records: readonly ProducedRecord[],
  from: number,
  to: number,
  stamp: ProducerStamp,
): void => {
  const first = records[from];
  if (first === undefined) throw new RangeError('A batch holds at least one record');
  const start = writer.position;
  let maxTimestamp = first.timestamp;
  for (let index = from + 1; index < to; index++) {
    const timestamp = records[index]?.timestamp ?? 0;
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
  }
  writer.int64(0).int32(0).int32(-1).int8(2).uint32(0);
  writer.int16(stamp.transactional ? transactionalBit : 0).int32(to - from - 1);
  writer.int64(first.timestamp).int64(maxTimestamp);
  writer
    .int64(stamp.producerId)
    .int16(stamp.producerEpoch)
    .int32(stamp.baseSequence)
    .int32(to - from);
  for (let index = from; index < to; index++) {
    const record = records[index];
    if (record !== undefined) writeRecord(writer, record, record.timestamp - first.timestamp, index - from);
  }
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

const unpack = (attributes: number, records: Buffer, where: string): Buffer => {
  const codec = codecs[attributes & compressionMask];
  if (codec === 'none') return records;
  if (codec === 'gzip') return gunzipSync(records);
  if (codec === 'zstd') return zstdDecompressSync(records);
  throw new UnsupportedCompressionError(
    `The batch at ${where} is compressed by ${codec ?? `codec ${attributes & compressionMask}`}, which this library cannot unpack; ` +
      'nothing of that partition was read. Let its producer use none, gzip or zstd.',
  );
};

/**
 * Reads what a Fetch answered for one partition: whole batches, cut off somewhere in the last. Their records are decoded later, one by one.
 * @param position records below it are left out (a batch is always sent whole)
 * @param aborted null reads uncommitted: every data record counts
 * @throws CorruptBatchError, UnsupportedCompressionError
 */
export const readBatches = (
  topic: string,
  partition: number,
  buffer: Buffer,
  position: number,
  aborted: readonly AbortedTransaction[] | null,
): DecodedRecords => {
  const records = new EncodedRecords(topic, partition);
  const waiting = aborted === null ? [] : [...aborted].sort((one, other) => one.firstOffset - other.firstOffset);
  const abortedProducers = new Set<number>();
  const reader = new ByteReader(buffer);
  let nextOffset = position;
  while (reader.left >= headerBytes) {
    const start = reader.position;
    const baseOffset = reader.int64();
    const end = reader.int32() + start + lengthAt + 4;
    if (end > buffer.length) break;
    const where = `${topic}-${partition} offset ${baseOffset}`;
    reader.position = start + 16;
    const magic = reader.int8();
    if (magic !== 2)
      throw new CorruptBatchError(
        `The batch at ${where} has magic ${magic}; only 2 is read (Kafka ≥ 4 writes no other)`,
      );
    if (reader.uint32() !== crc32c(buffer.subarray(start + checkedFrom, end))) {
      throw new CorruptBatchError(`The batch at ${where} fails its checksum; it was not delivered`);
    }
    const attributes = reader.int16();
    const lastOffset = baseOffset + reader.int32();
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
      const body = unpack(attributes, buffer.subarray(reader.position, end), where);
      const appendTime = attributes & logAppendTime ? maxTimestamp : null;
      records.add({ body, count, baseOffset, firstTimestamp, appendTime }, position);
    }
    if (lastOffset + 1 > nextOffset) nextOffset = lastOffset + 1;
    reader.position = end;
  }
  return { records, nextOffset };
};
