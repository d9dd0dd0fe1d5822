/**
 * V8 keeps arrays of up to so many bytes on its own heap, for a tenth of the price of larger ones, until somebody asks for their `buffer` or hands
 * them to native code: then it moves them, for ten times the price. So nothing here does that with short ones.
 */
const onHeapBytes = 64;

/** Bytes that stand in larger ones, for whom a view of them would be too dear. */
export interface ByteSpan {
  bytes: Uint8Array;
  from: number;
  to: number;
}

/** Room for bytes that the caller fills wholly. */
export const bytesOfLength = (length: number): Uint8Array =>
  length <= onHeapBytes ? new Uint8Array(length) : Buffer.allocUnsafe(length);

/** Bytes from `from` to `to`, not to be written to: a copy of few, a view of many. */
export const part = (bytes: Uint8Array, from: number, to = bytes.length): Uint8Array =>
  to - from <= onHeapBytes ? bytes.slice(from, to) : bytes.subarray(from, to);

// What `Buffer.toString` calls, missing in its types.
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, from: number, to: number): string;
};
const scratch = Buffer.allocUnsafeSlow(onHeapBytes);

type Reader = (bytes: Uint8Array, from: number) => string | null;

const unrolledBytes = 48;
const fields = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `bytes[from + ${at}]`);
const compiled = (count: number, body: (fields: readonly string[]) => string): Reader =>
  new Function('bytes', 'from', body(fields(count))) as Reader; // its text is made here, of nothing but numbers

/**
 * For each length a function that names every byte: less than half the price of a loop and a call out of JavaScript. Empty where Node may not make
 * functions from text (`--disallow-code-generation-from-strings`).
 */
function readers(body: (fields: readonly string[]) => string): readonly Reader[] {
  try {
    return Array.from({ length: unrolledBytes }, (_, count) => compiled(count, body));
  } catch {
    return [];
  }
}

const byteReaders = readers((bytes) => `return String.fromCharCode(${bytes.join()})`);
const asciiReaders = readers(
  (bytes) => `return (${bytes.join('|') || 0}) < 0x80 ? String.fromCharCode(${bytes.join()}) : null`,
);

/** Byte strings: one char a byte, so that bytes can key a Map and compare in byte order. */
export function byteString(bytes: Uint8Array, from = 0, to = bytes.length): string {
  return byteReaders[to - from]?.(bytes, from) ?? latin1(bytes, from, to);
}

/** The text, if all of it is ASCII; else null. */
export function asciiString(bytes: Uint8Array, from = 0, to = bytes.length): string | null {
  const reader = asciiReaders[to - from];
  if (reader !== undefined) return reader(bytes, from);
  for (let at = from; at < to; at++) if ((bytes[at] ?? 0) > 0x7f) return null;
  return latin1(bytes, from, to);
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  const length = to - from;
  if (length > onHeapBytes) return latin1Slice.call(bytes, from, to);
  for (let i = 0; i < length; i++) scratch[i] = bytes[from + i] ?? 0;
  return latin1Slice.call(scratch, 0, length);
}

export function writeUint32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

export const readUint32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;

/** The smallest bytes above everything that begins with `prefix`; null when there are none (all 0xff, or empty). */
export function prefixEnd(prefix: Uint8Array): Uint8Array | null {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0;
    if (byte === 0xff) continue;
    const end = new Uint8Array(prefix.subarray(0, i + 1)); // a Buffer's slice is no copy
    end[i] = byte + 1;
    return end;
  }
  return null;
}

/** The smallest bytes above `key`: turns an inclusive end into an exclusive one. */
export function successor(key: Uint8Array): Uint8Array {
  const out = bytesOfLength(key.length + 1);
  out.set(key);
  out[key.length] = 0;
  return out;
}

/** What LMDB takes (1978 with its pages of 4 KiB) less our own first byte. Of every store, so that tests in memory tell it too. */
const maxKeyBytes = 1977;

/** @throws RangeError – found only when its transaction is committed, such a key could be neither written nor restored ever again */
export function checkKey(key: Uint8Array): void {
  if (key.length > maxKeyBytes)
    throw new RangeError(
      `a key of ${key.length} bytes cannot be stored, at most ${maxKeyBytes}; store a hash of it instead`,
    );
}
