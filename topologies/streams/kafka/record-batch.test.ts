import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, varintSize } from './bytes.ts';
import { crc32c, crc32cInJavaScript } from './crc32c.ts';
import { CorruptBatchError, UnsupportedCompressionError } from './errors.ts';
import type { ProducedRecord } from './port.ts';
import { readBatches, recordOverhead, writeBatch } from './record-batch.ts';
import { RecordPack } from './record-pack.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const plain = { producerId: -1, producerEpoch: -1, baseSequence: -1, transactional: false };

const record = (value: string | null, timestamp = 1000): ProducedRecord => ({
  topic: 't',
  partition: 0,
  timestamp,
  key: bytes('k'),
  value: value === null ? null : bytes(value),
  headers: [],
});

const batch = (records: readonly ProducedRecord[], options: Partial<typeof plain> = {}, baseOffset = 0): Buffer => {
  const writer = new ByteWriter(16);
  const spans = RecordPack.of(records).lists.map((list) => ({ list, from: 0, to: list.count }));
  writeBatch(writer, spans, { ...plain, ...options });
  const encoded = Buffer.from(writer.bytes());
  encoded.writeBigInt64BE(BigInt(baseOffset), 0);
  return encoded;
};

/** A marker as the broker writes it: a control batch of one record whose key is version 0 and the type. */
const marker = (type: 'ABORT' | 'COMMIT', producerId: number, baseOffset: number): Buffer => {
  const key = Buffer.from([0, 0, 0, type === 'ABORT' ? 0 : 1]);
  const encoded = batch(
    [{ ...record(null), key, value: Buffer.alloc(6) }],
    { producerId, producerEpoch: 0, transactional: true },
    baseOffset,
  );
  encoded.writeInt16BE(0x30, 21);
  return reseal(encoded);
};

const reseal = (encoded: Buffer): Buffer => {
  encoded.writeInt32BE(encoded.length - 12, 8);
  encoded.writeUInt32BE(crc32c(encoded.subarray(21)), 17);
  return encoded;
};

const compressed = (encoded: Buffer, codec: number, records: Buffer): Buffer => {
  const header = Buffer.from(encoded.subarray(0, 61));
  header.writeInt16BE(codec, 21);
  return reseal(Buffer.concat([header, records]));
};

const values = (buffer: Buffer, position = 0, aborted: Parameters<typeof readBatches>[4] = []): string[] =>
  [...readBatches('t', 0, buffer, position, aborted).records].map((one) => String(one.value && Buffer.from(one.value)));

describe('numbers', () => {
  test('what is written is read back: zigzag up to 2^52, int64 up to 2^53', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }), fc.maxSafeInteger(), (value, wide) => {
        const writer = new ByteWriter(1).varint(value).int64(wide);
        const reader = new ByteReader(writer.bytes());
        expect(reader.varint()).toBe(value);
        expect(reader.position).toBe(varintSize(value));
        expect(reader.int64()).toBe(wide);
      }),
    );
  });

  test('both checksums are CRC-32C', () => {
    expect(crc32cInJavaScript(bytes('123456789'))).toBe(0xe3069283);
    fc.assert(fc.property(fc.uint8Array(), (input) => crc32c(input) === crc32cInJavaScript(input)));
  });
});

describe('record batch', () => {
  const field = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null });
  const anyRecord = fc.record({
    topic: fc.constant('t'),
    partition: fc.constant(0),
    timestamp: fc.integer({ min: 0, max: 2_000_000_000_000 }),
    key: field,
    value: field,
    headers: fc.array(fc.tuple(fc.string(), fc.uint8Array({ maxLength: 20 })), { maxLength: 3 }),
  });

  test('a batch is read back as it was written and is no larger than its bound', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), (records) => {
        const encoded = batch(records, {}, 7);
        const { records: decoded, nextOffset } = readBatches('t', 0, encoded, 0, []);
        expect(nextOffset).toBe(7 + records.length);
        expect(
          [...decoded].map((one) => ({
            ...one,
            key: one.key && new Uint8Array(one.key),
            value: one.value && new Uint8Array(one.value),
            headers: one.headers.map(([name, value]) => [name, new Uint8Array(value)]),
          })),
        ).toEqual(records.map((one, index) => ({ ...one, offset: 7 + index })));
        const [list] = RecordPack.of(records).lists;
        const bound = 61 + (list?.bytes ?? 0) + records.length * recordOverhead;
        expect(encoded.length).toBeLessThanOrEqual(bound);
      }),
    );
  });

  test('the bytes of a record are looked up once, and do not go into a log with the rest of it', () => {
    const [one] = readBatches('t', 0, batch([record('a')], {}, 10), 10, []).records;
    expect(String(one?.value)).toBe('97');
    expect(one?.value).toBe(one?.value);
    expect(Object.keys({ ...one })).toEqual(['topic', 'partition', 'offset', 'timestamp', 'headers']);
  });

  test('records below the position are left out, a batch cut off is left for the next fetch', () => {
    const two = Buffer.concat([batch([record('a'), record('b')], {}, 10), batch([record('c')], {}, 12)]);
    expect(values(two, 11)).toEqual(['b', 'c']);
    const cut = readBatches('t', 0, two.subarray(0, two.length - 1), 10, []);
    expect([...cut.records].map((one) => one.offset)).toEqual([10, 11]);
    expect(cut.nextOffset).toBe(12);
    expect(readBatches('t', 0, two.subarray(0, 30), 10, []).nextOffset).toBe(10);
  });

  test('what compaction has taken is passed over, also at the position and behind it', () => {
    const whole = batch([record('a'), record('b'), record('c')], {}, 10);
    const size = (whole.length - 61) / 3;
    const compacted = Buffer.concat([whole.subarray(0, 61), whole.subarray(61 + size, 61 + 2 * size)]); // only b is left
    compacted.writeInt32BE(1, 57);
    const empty = Buffer.from(whole.subarray(0, 61));
    empty.writeInt32BE(0, 57);
    empty.writeBigInt64BE(13n, 0);
    const log = Buffer.concat([reseal(compacted), reseal(empty), batch([record('d')], {}, 16)]);
    for (const position of [0, 10, 11]) expect(values(log, position)).toEqual(['b', 'd']);
    for (const position of [12, 13, 15, 16]) expect(values(log, position)).toEqual(['d']);
    const { records, nextOffset } = readBatches('t', 0, log, 12, []);
    expect([records.length, nextOffset]).toEqual([1, 17]);
    expect(readBatches('t', 0, log, 17, []).records.length).toBe(0);
  });

  test('aborted records are skipped up to their marker, the same producer counts again after it', () => {
    const one = { producerId: 1, producerEpoch: 0, transactional: true };
    const log = Buffer.concat([
      batch([record('gone')], one, 0),
      batch([record('kept')], { ...one, producerId: 2 }, 1),
      marker('ABORT', 1, 2),
      batch([record('again')], one, 3),
      marker('COMMIT', 1, 4),
      marker('COMMIT', 2, 5),
    ]);
    const read = readBatches('t', 0, log, 0, [{ producerId: 1, firstOffset: 0 }]);
    expect([...read.records].map((r) => [r.offset, String(r.value && Buffer.from(r.value))])).toEqual([
      [1, 'kept'],
      [3, 'again'],
    ]);
    expect(read.nextOffset).toBe(6);
    expect(values(log, 0, null)).toEqual(['gone', 'kept', 'again']);
  });

  test('gzip and zstd are unpacked; snappy is refused by name', () => {
    const encoded = batch([record('packed'), record('too')]);
    const body = encoded.subarray(61);
    expect(values(compressed(encoded, 1, gzipSync(body)))).toEqual(['packed', 'too']);
    expect(values(compressed(encoded, 4, zstdCompressSync(body)))).toEqual(['packed', 'too']);
    expect(() => values(compressed(encoded, 2, body))).toThrow(UnsupportedCompressionError);
    expect(() => values(compressed(encoded, 2, body))).toThrow(/t-0 offset 0 is compressed by snappy/);
  });

  test.each([0, 1, 2])(
    'one that holds less than it says is told with its place, read from offset %d on',
    (position) => {
      const encoded = batch([record('a'), record('b')]);
      encoded.writeInt32BE(3, 57);
      encoded.writeInt32BE(2, 23);
      expect(() => values(reseal(encoded), position)).toThrow(CorruptBatchError);
      expect(() => values(encoded, position)).toThrow(/batch at t-0 offset 0 .* runs past the end/);
    },
  );

  test('a flipped bit is found, and told with the offsets of its batch and of what stands behind', () => {
    const encoded = batch([record('value'), record('another')], {}, 7);
    encoded[70] = (encoded[70] ?? 0) ^ 1;
    const thrown = (read: () => unknown): unknown => {
      try {
        return read();
      } catch (error) {
        return error;
      }
    };
    const at = { topic: 't', partition: 0, offset: 7, nextOffset: 9 };
    const found = thrown(() => values(encoded));
    expect(found).toBeInstanceOf(CorruptBatchError);
    expect(found).toMatchObject({ at });
    expect(
      thrown(() => values(compressed(batch([record('a'), record('b')], {}, 7), 1, Buffer.from('no gzip')))),
    ).toMatchObject({ at });
  });
});
