import avro, { type Type } from 'avsc';
import { type AvroObject, localSchemas, standalone } from './local-schemas.ts';

/** Avro `long` as bigint: money and counters must not lose digits beyond 2^53. */
const bigintLong = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.allocUnsafe(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

/** timestamp-millis: epoch ms as a number (exact far beyond any date). avsc builds it on its own long, not on ours. */
class TimestampMillis extends avro.types.LogicalType {
  protected override _fromValue(value: unknown): number {
    return Number(value);
  }
  protected override _toValue(value: unknown): unknown {
    return Number.isSafeInteger(value) ? value : undefined;
  }
  protected override _resolve(type: Type): ((value: unknown) => unknown) | undefined {
    return avro.Type.isType(type, 'abstract:long', 'logical:timestamp-millis') ? Number : undefined; // our `long` is an abstract one to avsc
  }
}

/** avsc keeps what it has named in `registry`, so every schema gets a fresh one. */
export const typeOf = (schema: AvroObject): Type =>
  avro.Type.forSchema(schema as avro.Schema, {
    registry: { long: bigintLong },
    logicalTypes: { 'timestamp-millis': TimestampMillis },
    omitRecordMethods: true,
    wrapUnions: 'never',
  });

const cache = new Map<string, Type>();

/** Our own type of a record, built at first use. */
export function localType(fullName: string): Type {
  const known = cache.get(fullName);
  if (known !== undefined) return known;
  const type = typeOf(standalone(fullName));
  cache.set(fullName, type);
  return type;
}

export const isLocal = (fullName: string): boolean => localSchemas.has(fullName);
