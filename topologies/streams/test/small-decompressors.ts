import type { Decompressors } from '../kafka/index.ts';

/** Copies `length` bytes from `distance` back, which may overlap with what is being written. */
function repeat(out: number[], distance: number, length: number): void {
  if (distance < 1 || distance > out.length) throw new RangeError('it refers to what is before its beginning');
  for (let index = 0; index < length; index += 1) out.push(out[out.length - distance] ?? 0);
}

/** https://github.com/google/snappy/blob/main/format_description.txt */
function snappy(block: Buffer): Uint8Array {
  const out: number[] = [];
  let at = 0;
  let wanted = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = block.readUInt8(at++);
    wanted |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  while (at < block.length) {
    const tag = block.readUInt8(at++);
    const kind = tag & 3;
    const size = tag >> 2;
    if (kind === 0) {
      const more = Math.max(0, size - 59);
      const length = (more === 0 ? size : block.readUIntLE(at, more)) + 1;
      at += more;
      out.push(...block.subarray(at, at + length));
      at += length;
    } else if (kind === 1) {
      repeat(out, ((tag >> 5) << 8) | block.readUInt8(at++), (size & 7) + 4);
    } else {
      const bytes = kind === 2 ? 2 : 4;
      repeat(out, block.readUIntLE(at, bytes), size + 1);
      at += bytes;
    }
  }
  if (out.length !== wanted) throw new RangeError(`it has ${out.length} bytes in place of ${wanted}`);
  return Uint8Array.from(out);
}

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md, without looking at its checksums. */
function lz4(frame: Buffer): Uint8Array {
  const out: number[] = [];
  if (frame.readUInt32LE(0) !== 0x184d2204) throw new RangeError('it does not begin as a frame');
  const flags = frame.readUInt8(4);
  let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0);
  for (;;) {
    const head = frame.readUInt32LE(at);
    at += 4;
    if (head === 0) return Uint8Array.from(out);
    const end = at + (head & 0x7fff_ffff);
    const block = frame.subarray(at, end);
    if (head >= 0x8000_0000) out.push(...block);
    else lz4Block(block, out);
    at = end + (flags & 0x10 ? 4 : 0);
  }
}

function lz4Block(block: Buffer, out: number[]): void {
  let at = 0;
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    if (nibble === 15) for (let byte = 255; byte === 255; length += byte) byte = block.readUInt8(at++);
    return length;
  };
  while (at < block.length) {
    const token = block.readUInt8(at++);
    const literals = lengthFrom(token >> 4);
    out.push(...block.subarray(at, at + literals));
    at += literals;
    if (at >= block.length) return; // the last sequence has no match
    const distance = block.readUInt16LE(at);
    at += 2;
    repeat(out, distance, lengthFrom(token & 15) + 4);
  }
}

/** As short as the formats allow, and slow: a topology in production takes a package's. */
export const smallDecompressors = { snappy, lz4 } as const satisfies Decompressors;
