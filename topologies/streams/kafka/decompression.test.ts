import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { smallDecompressors } from '../test/small-decompressors.ts';
import { decompress } from './decompression.ts';
import { CorruptBatchError, UnsupportedCompressionError } from './errors.ts';

const [gzip, snappy, lz4, zstd] = [1, 2, 3, 4] as const;
const where = 't-0 offset 7';
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** Of literals alone, up to 60 bytes. */
const snappyBlock = (text: string): Buffer =>
  Buffer.concat([Buffer.of(text.length, (text.length - 1) << 2), Buffer.from(text)]);
const xerial = (...blocks: readonly Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from('\x82SNAPPY\0', 'latin1'),
    int32(1),
    int32(1),
    ...blocks.flatMap((block) => [int32(block.length), block]),
  ]);

const unpacked = (codec: number, bytes: Buffer) => String(decompress(codec, bytes, where, smallDecompressors));

test('gzip and zstd are unpacked by Node, also where no decompressor is given', () => {
  expect(String(decompress(gzip, gzipSync('packed'), where, {}))).toBe('packed');
  expect(String(decompress(zstd, zstdCompressSync('packed'), where, {}))).toBe('packed');
});

describe('snappy', () => {
  test('one block, as librdkafka sends it', () => expect(unpacked(snappy, snappyBlock('packed'))).toBe('packed'));

  test("the blocks of Java's frame, and of one frame behind another", () => {
    const frame = xerial(snappyBlock('one '), snappyBlock('two '));
    expect(unpacked(snappy, frame)).toBe('one two ');
    expect(unpacked(snappy, Buffer.concat([frame, xerial(snappyBlock('three'))]))).toBe('one two three');
    expect(unpacked(snappy, xerial())).toBe('');
  });

  test('a block that is cut off is told with its place', () => {
    const cut = xerial(snappyBlock('packed')).subarray(0, -1);
    expect(() => unpacked(snappy, cut)).toThrow(CorruptBatchError);
    expect(() => unpacked(snappy, cut)).toThrow(/t-0 offset 7 could not be unpacked by snappy.*longer than what is/);
  });
});

test('lz4: a frame goes to the decompressor as it is', () => {
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
  const block = Buffer.concat([Buffer.of(6 << 4), Buffer.from('packed')]);
  const frame = Buffer.concat([head, Buffer.of(block.length, 0, 0, 0), block, Buffer.alloc(4)]);
  expect(unpacked(lz4, frame)).toBe('packed');
});

test('without its decompressor a codec is refused by name, with the option and the package that cure it', () => {
  for (const [codec, cure] of [
    [snappy, /compressed by snappy.*option decompress, such as \{ snappy: uncompressSync \} from the package 'snappy'/],
    [lz4, /compressed by lz4.*option decompress, such as \{ lz4: decompressFrameSync \} from the package 'lz4-napi'/],
  ] as const) {
    expect(() => decompress(codec, Buffer.of(0), where, {})).toThrow(UnsupportedCompressionError);
    expect(() => decompress(codec, Buffer.of(0), where, {})).toThrow(cure);
  }
  expect(() => decompress(5, Buffer.of(0), where, {})).toThrow(/t-0 offset 7 is compressed by codec 5/);
});

test('what a decompressor throws, or gives in place of bytes, is told with the batch', () => {
  const broken = () => {
    throw new Error('no such block');
  };
  const bytes = Buffer.of(1, 2);
  expect(() => decompress(lz4, bytes, where, { lz4: broken })).toThrow(/offset 7 could not be.*by lz4.*no such block/);
  expect(() => decompress(snappy, bytes, where, { snappy: () => 'text' })).toThrow(/gave string in place of bytes/);
});
