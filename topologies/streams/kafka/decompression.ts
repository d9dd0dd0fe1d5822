import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { CorruptBatchError, UnsupportedCompressionError } from './errors.ts';

/** Unpacks codecs that Node has not. What they throw is told as a batch that cannot be unpacked. */
export interface Decompressors {
  /** One block of snappy's raw format, as `uncompressSync` of the package `snappy` takes it. Java's frames around blocks are taken off before. */
  readonly snappy?: (block: Buffer) => Uint8Array | string;
  /** A frame of LZ4's frame format, as `decompressFrameSync` of the package `lz4-napi` takes it. */
  readonly lz4?: (frame: Buffer) => Uint8Array;
}

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

const advice = {
  snappy: "{ snappy: uncompressSync } from the package 'snappy'",
  lz4: "{ lz4: decompressFrameSync } from the package 'lz4-napi'",
} as const;

/**
 * What snappy-java (org.xerial.snappy.SnappyOutputStream) writes, and so Java's producers and brokers: this, i32 version, i32 oldest version that reads it,
 * then blocks, each behind its i32 length. Several such streams may stand behind each other. librdkafka writes one block without any of it.
 */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeaderBytes = 16;

const beginsXerial = (bytes: Buffer, at: number): boolean =>
  bytes.length >= at + xerialHeaderBytes && bytes.compare(xerialMagic, 0, 8, at, at + 8) === 0;

function* snappyBlocks(bytes: Buffer): Generator<Buffer, void, undefined> {
  if (!beginsXerial(bytes, 0)) {
    yield bytes;
    return;
  }
  for (let at = 0; at < bytes.length; ) {
    if (beginsXerial(bytes, at)) {
      at += xerialHeaderBytes;
      continue;
    }
    const begin = at + 4;
    const end = begin + bytes.readInt32BE(at);
    if (end < begin || end > bytes.length) throw new RangeError('a block of it is longer than what is there');
    yield bytes.subarray(begin, end);
    at = end;
  }
}

const asBuffer = (bytes: unknown): Buffer => {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`it gave ${typeof bytes} in place of bytes`);
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
};

/**
 * @param codec the number that stands in a batch's attributes
 * @param where of the batch, for what is thrown
 * @throws UnsupportedCompressionError – nobody here unpacks that codec; CorruptBatchError – it could not be unpacked
 */
export function decompress(codec: number, bytes: Buffer, where: string, own: Decompressors): Buffer {
  const name = codecs[codec];
  if (name === 'none') return bytes;
  if (name === undefined)
    throw new UnsupportedCompressionError(
      `The batch at ${where} is compressed by codec ${codec}, which nobody knows here; nothing of that partition was read. ` +
        'Let its producer use another one.',
    );
  try {
    if (name === 'gzip') return gunzipSync(bytes);
    if (name === 'zstd') return zstdDecompressSync(bytes);
    if (name === 'snappy' && own.snappy) {
      const { snappy } = own;
      const blocks = Array.from(snappyBlocks(bytes), (block) => asBuffer(snappy(block)));
      return blocks.length === 1 && blocks[0] ? blocks[0] : Buffer.concat(blocks);
    }
    if (name === 'lz4' && own.lz4) return asBuffer(own.lz4(bytes));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CorruptBatchError(
      `The batch at ${where} could not be unpacked by ${name}; it was not delivered: ${why}`,
      { cause },
    );
  }
  throw new UnsupportedCompressionError(
    `The batch at ${where} is compressed by ${name}, which Node cannot unpack; nothing of that partition was read. ` +
      `Give the connection (or the worker) the option decompress, such as ${advice[name]}, or let the producer use none, gzip or zstd.`,
  );
}
