import { part } from './bytes.ts';
/**
 * Keys in a form that none begins with another, in the order of the keys: a zero byte is written as `00 ff`, and `00` ends the key. What
 * follows must not begin with `ff`.
 */
export function prefixFree(key: Uint8Array): Uint8Array {
  let zeros = 0;
  for (const byte of key) if (byte === 0) zeros += 1;
  const out = new Uint8Array(key.length + zeros + 1);
  if (zeros === 0) {
    out.set(key);
    return out;
  }
  let at = 0;
  for (const byte of key) {
    out[at++] = byte;
    if (byte === 0) out[at++] = 0xff;
  }
  return out;
}

/** The key that `prefixFree` was given, from its bytes alone. */
export function prefixFreeKey(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - 1;
  if (bytes.indexOf(0) === end) return part(bytes, 0, end);
  const out = new Uint8Array(end);
  let length = 0;
  for (let at = 0; at < end; at++) {
    out[length++] = bytes[at] ?? 0;
    if (bytes[at] === 0) at += 1;
  }
  return part(out, 0, length);
}
