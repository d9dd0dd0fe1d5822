import { CorruptBatchError } from './errors.ts';

const twoTo32 = 0x1_0000_0000;

/** What small integers are in 32 bits: below it shifts do what otherwise takes divisions. */
const smallLimit = 0x4000_0000;
const isSmall = (value: number): boolean => value < smallLimit && value >= -smallLimit;

/** Bytes a zigzag varint takes: exact for integers of up to 52 bits, and all that use it (lengths, deltas) are far smaller. */
export const varintSize = (value: number): number => {
  if (isSmall(value)) {
    const small = ((value << 1) ^ (value >> 31)) >>> 0;
    return small < 0x80 ? 1 : small < 0x4000 ? 2 : small < 0x20_0000 ? 3 : small < 0x1000_0000 ? 4 : 5;
  }
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
};

/** Writes a zigzag varint where there is room for it. @returns where it ends */
export function putVarint(slab: Uint8Array, from: number, value: number): number {
  let at = from;
  if (isSmall(value)) {
    let small = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; small >= 0x80; small >>>= 7) slab[at++] = small | 0x80;
    slab[at++] = small;
    return at;
  }
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  while (rest >= 0x80) {
    slab[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  slab[at++] = rest;
  return at;
}

/** Up to so many bytes are copied faster one by one than by a call. */
const fewBytes = 24;

/** Copies bytes where there is room for them. @returns where they end */
export function putBytes(slab: Uint8Array, from: number, bytes: Uint8Array): number {
  const { length } = bytes;
  if (length > fewBytes) slab.set(bytes, from);
  else for (let at = 0; at < length; at++) slab[from + at] = bytes[at] ?? 0;
  return from + length;
}

/** A slab that grows: everything sent to a broker is written here. Big-endian, as the protocol is. */
export class ByteWriter {
  #slab: Buffer;
  position = 0;

  constructor(capacity = 1024) {
    this.#slab = Buffer.allocUnsafe(capacity);
  }

  /** At least `size` bytes of room from `position` on, for those who write it themselves and move the position. */
  room(size: number): Buffer {
    this.reserve(size);
    return this.#slab;
  }

  /** What was written so far; shares the slab. */
  bytes(from = 0): Buffer {
    return this.#slab.subarray(from, this.position);
  }

  /** Begins anew on the same slab; one that a rare large transaction has grown past `keepAtMost` is given back. */
  reset(keepAtMost = 8 << 20): void {
    this.position = 0;
    if (this.#slab.length > keepAtMost) this.#slab = Buffer.allocUnsafe(1024);
  }

  reserve(size: number): void {
    const needed = this.position + size;
    if (needed <= this.#slab.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#slab.length * 2));
    this.#slab.copy(grown, 0, 0, this.position);
    this.#slab = grown;
  }

  int8(value: number): this {
    this.reserve(1);
    this.#slab[this.position++] = value & 0xff;
    return this;
  }

  bool(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int16(value: number): this {
    this.reserve(2);
    this.position = this.#slab.writeInt16BE(value, this.position);
    return this;
  }

  int32(value: number): this {
    this.reserve(4);
    this.position = this.#slab.writeInt32BE(value, this.position);
    return this;
  }

  uint32(value: number): this {
    this.reserve(4);
    this.position = this.#slab.writeUInt32BE(value, this.position);
    return this;
  }

  /** Exact integers only; offsets, timestamps and producer ids all lie below 2^53. */
  int64(value: number): this {
    this.reserve(8);
    const high = Math.floor(value / twoTo32);
    this.position = this.#slab.writeInt32BE(high, this.position);
    this.position = this.#slab.writeUInt32BE(value - high * twoTo32, this.position);
    return this;
  }

  uvarint(value: number): this {
    this.reserve(10);
    if (value < 0x80) {
      this.#slab[this.position++] = value;
      return this;
    }
    let rest = value;
    while (rest >= 0x80) {
      this.#slab[this.position++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#slab[this.position++] = rest;
    return this;
  }

  /** Zigzag. */
  varint(value: number): this {
    return this.uvarint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.#slab.set(bytes, this.position);
    this.position += bytes.length;
    return this;
  }

  /** int16 length, then UTF-8. */
  string(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    return this.int16(bytes.length).raw(bytes);
  }

  /** uvarint length + 1 (0 is null), then UTF-8. */
  compactString(value: string | null): this {
    if (value === null) return this.uvarint(0);
    const bytes = Buffer.from(value, 'utf8');
    return this.uvarint(bytes.length + 1).raw(bytes);
  }

  /** Each item ends with its own tag section, which is always empty here. */
  compactArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.uvarint(items.length + 1);
    for (const item of items) {
      write(item);
      this.int8(0);
    }
    return this;
  }

  /** Overwrites four bytes that were left for later. */
  patchUint32(at: number, value: number): void {
    this.#slab.writeUInt32BE(value >>> 0, at);
  }
}

/** Reads an answer in place. Byte fields are views of the answer's own buffer, which nobody writes to again. */
export class ByteReader {
  readonly buffer: Buffer;
  position: number;

  constructor(buffer: Buffer, position = 0) {
    this.buffer = buffer;
    this.position = position;
  }

  get left(): number {
    return this.buffer.length - this.position;
  }

  int8(): number {
    this.position += 1;
    return this.buffer.readInt8(this.position - 1);
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  int16(): number {
    this.position += 2;
    return this.buffer.readInt16BE(this.position - 2);
  }

  int32(): number {
    this.position += 4;
    return this.buffer.readInt32BE(this.position - 4);
  }

  uint32(): number {
    this.position += 4;
    return this.buffer.readUInt32BE(this.position - 4);
  }

  int64(): number {
    return this.int32() * twoTo32 + this.uint32();
  }

  uvarint(): number {
    const first = this.buffer[this.position];
    if (first !== undefined && first < 0x80) {
      this.position++;
      return first;
    }
    let result = 0;
    let scale = 1;
    for (let read = 0; read < 10; read++) {
      const byte = this.buffer[this.position++];
      if (byte === undefined) throw new CorruptBatchError('A variable-length number runs past the end of its buffer');
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 0x80;
    }
    throw new CorruptBatchError('A variable-length number is longer than ten bytes');
  }

  /** Zigzag. */
  varint(): number {
    const first = this.buffer[this.position] ?? 0x80;
    if (first < 0x80) {
      this.position += 1;
      return (first >>> 1) ^ -(first & 1);
    }
    const second = this.buffer[this.position + 1] ?? 0x80;
    if (second < 0x80) {
      this.position += 2;
      const small = (first & 0x7f) | (second << 7);
      return (small >>> 1) ^ -(small & 1);
    }
    const raw = this.uvarint();
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }

  bytes(length: number): Buffer {
    if (length < 0 || length > this.left) {
      throw new CorruptBatchError(`A field of ${length} bytes does not fit the ${this.left} that are left`);
    }
    const start = this.position;
    this.position += length;
    return this.buffer.subarray(start, this.position);
  }

  /** As `bytes`, without what a Buffer can do, for half the price. */
  view(length: number): Uint8Array {
    const start = this.skip(length);
    return new Uint8Array(this.buffer.buffer, this.buffer.byteOffset + start, length);
  }

  /** Passes a field without looking at it. @returns where it begins */
  skip(length: number): number {
    const start = this.position;
    if (length < 0 || length > this.left) this.bytes(length); // throws
    this.position = start + length;
    return start;
  }

  string(): string {
    return this.bytes(this.int16()).toString('utf8');
  }

  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.bytes(length).toString('utf8');
  }

  compactString(): string | null {
    const length = this.uvarint();
    return length === 0 ? null : this.bytes(length - 1).toString('utf8');
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read);
  }

  /** Skips each item's tag section. */
  compactArray<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, () => {
      const item = read();
      this.tags();
      return item;
    });
  }

  /** Calls `read` for tags the caller knows; anything else is skipped, as KIP-482 asks. */
  tags(read?: (tag: number, field: ByteReader) => void): void {
    for (let count = this.uvarint(); count > 0; count--) {
      const tag = this.uvarint();
      const field = new ByteReader(this.bytes(this.uvarint()));
      read?.(tag, field);
    }
  }
}
