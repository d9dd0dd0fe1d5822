import { createRequire } from 'node:module';

/** Table of the Castagnoli polynomial (reflected), one byte at a time. */
const table = Int32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

export const crc32cInJavaScript = (bytes: Uint8Array): number => {
  let crc = -1;
  for (let index = 0; index < bytes.length; index++) {
    // Both subscripts are in range: `index` by the loop, the table by the mask.
    crc = (table[(crc ^ (bytes[index] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return (crc ^ -1) >>> 0;
};

const native = (): ((bytes: Uint8Array) => number) | null => {
  try {
    const module: { crc32c(bytes: Uint8Array): number } = createRequire(import.meta.url)('@node-rs/crc32');
    return module.crc32c(Buffer.from('123456789')) === 0xe3069283 ? (bytes) => module.crc32c(bytes) : null;
  } catch {
    return null; // No binary for this platform: the JavaScript one is exact, about five times slower.
  }
};

/** CRC-32C, the checksum of a record batch. (zlib.crc32 is another polynomial.) */
export const crc32c: (bytes: Uint8Array) => number = native() ?? crc32cInJavaScript;
