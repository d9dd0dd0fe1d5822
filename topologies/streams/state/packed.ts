import { part } from './bytes.ts';
/**
 * Several byte strings as one: before each its length in four bytes, all ones where there is none.
 */
export function packed(parts: readonly (Uint8Array | null)[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += 4 + (part?.length ?? 0);
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part === null ? none : part.length);
    at += 4;
    if (part === null) continue;
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** What `packed` was given; the parts share the bytes. */
export function unpacked(bytes: Uint8Array): (Uint8Array | null)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: (Uint8Array | null)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at);
    at += 4;
    parts.push(length === none ? null : part(bytes, at, at + length));
    if (length !== none) at += length;
  }
  return parts;
}

const none = 0xffff_ffff;
