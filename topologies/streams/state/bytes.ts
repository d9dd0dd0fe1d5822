/** Byte strings: one char a byte, so that bytes can key a Map and compare in byte order. */
export const byteString = (bytes: Uint8Array): string => {
  const length = bytes.length;
  if (length > 48) return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
  let out = '';
  for (let i = 0; i < length; i++) out += String.fromCharCode(bytes[i] ?? 0);
  return out;
};

/** The smallest bytes above everything that begins with `prefix`; null when there are none (all 0xff, or empty). */
export function prefixEnd(prefix: Uint8Array): Uint8Array | null {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0;
    if (byte === 0xff) continue;
    const end = prefix.slice(0, i + 1);
    end[i] = byte + 1;
    return end;
  }
  return null;
}

/** The smallest bytes above `key`: turns an inclusive end into an exclusive one. */
export function successor(key: Uint8Array): Uint8Array {
  const out = new Uint8Array(key.length + 1);
  out.set(key);
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
