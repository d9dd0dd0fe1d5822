import { asciiString, byteString, readUint32, writeUint32 } from './state/bytes.ts';

/**
 * Turns keys and values into bytes and back. Both ways are synchronous; null never reaches a serde, it is null on the wire too.
 * Encoding must be stable: equal values give equal bytes, because stores, partitions and joins compare bytes.
 */
export interface Serde<T> {
  serialize(topic: string, value: T): Uint8Array;
  /**
   * Made with `inPlace` it costs less.
   * @throws when the bytes are not a `T`; the record then goes to the deserialisation handler.
   */
  deserialize(topic: string, bytes: Uint8Array): T;
  /**
   * Fetches what `deserialize` needs for these bytes (a schema). Undefined: nothing is missing. The promise resolves when the answer is
   * known, also when it is "there is no such schema" (then `deserialize` throws), and rejects while it cannot be known: ask again later.
   */
  prepare?(topic: string, bytes: Uint8Array): Promise<void> | undefined;
  /**
   * True: bytes do not depend on the topic. What was read is then stored and sent on as it came, without being written again. Only where a value
   * that was read is never changed in place, as the engine asks of everybody.
   */
  readonly ofAnyTopic?: boolean;
  /**
   * True: `deserialize` refuses all bytes that `serialize` would not write. Where it is `ofAnyTopic` too, keys are stored and sent on as they came
   * like values; else they are written again, so that one key that others wrote in two forms (`1` and `1.0`) has one row.
   */
  readonly oneForm?: boolean;
  /** The bytes of `serialize` as a string, one char a byte, where that costs less than to make them. */
  byteString?(topic: string, value: T): string;
}

/** Reads what stands at `from` to `to` of larger bytes. @throws when it is not a `T` */
export type ReadPart<T> = (topic: string, bytes: Uint8Array, from: number, to: number) => T;

interface Deserialize<T> {
  (topic: string, bytes: Uint8Array): T;
  readonly part?: ReadPart<T>;
}

/**
 * A `deserialize` that can also read a value where it stands, in the batch that it came with or among the rows of a store: that spares a view of
 * its bytes, which costs as much as to read a short text. Who puts another function in its place takes both away.
 */
export const inPlace = <T>(read: ReadPart<T>): Serde<T>['deserialize'] =>
  Object.assign((topic: string, bytes: Uint8Array): T => read(topic, bytes, 0, bytes.length), { part: read });

/** See `inPlace`; undefined: it wants bytes of their own. */
export const partReaderOf = <T>(serde: Serde<T>): ReadPart<T> | undefined => (serde.deserialize as Deserialize<T>).part; // a function may always have properties

const encoder = new TextEncoder();
/** A byte order mark is a char like others, as it is to Kafka's StringDeserializer. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Without it, since JSON may begin with one (RFC 8259, section 8.1). */
const jsonDecoder = new TextDecoder('utf-8', { fatal: true });

/** Longer texts are left to Node's coders. Keys are short and nearly all ASCII: for them a loop costs a third of a call out of JavaScript. */
const shortText = 64;

const string: Serde<string> = {
  serialize: (_topic, value) => {
    if (value.length > shortText) return Buffer.from(value);
    const out = new Uint8Array(value.length);
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return encoder.encode(value);
      out[i] = unit;
    }
    return out;
  },
  deserialize: inPlace(
    (_topic, bytes, from, to) => asciiString(bytes, from, to) ?? decoder.decode(bytes.subarray(from, to)),
  ),
  ofAnyTopic: true,
  oneForm: true,
  byteString: (_topic, value) => {
    for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return byteString(encoder.encode(value));
    return value;
  },
};

const bytes: Serde<Uint8Array> = {
  serialize: (_topic, value) => value,
  deserialize: (_topic, value) => value,
  ofAnyTopic: true,
  oneForm: true,
};

/** A DataView over the bytes themselves would move them off V8's heap, which costs ten times as much as to copy them. */
const scratch = new DataView(new ArrayBuffer(8));

/** Signed 64 bit, big-endian, as Kafka's LongSerializer writes it. */
const long: Serde<bigint> = {
  serialize: (_topic, value) => {
    const out = new Uint8Array(8);
    scratch.setBigInt64(0, value);
    writeUint32(out, 0, scratch.getUint32(0));
    writeUint32(out, 4, scratch.getUint32(4));
    return out;
  },
  deserialize: inPlace((topic, bytes, from, to) => {
    if (to - from !== 8) throw new RangeError(`${topic}: a long has 8 bytes, these are ${to - from}`);
    scratch.setUint32(0, readUint32(bytes, from));
    scratch.setUint32(4, readUint32(bytes, from + 4));
    return scratch.getBigInt64(0);
  }),
  ofAnyTopic: true,
  oneForm: true,
};

/** Whole numbers within ±2^53 in the bytes of `long`. */
const integer: Serde<number> = {
  serialize: (topic, value) => {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${topic}: ${value} is not a whole number within ±2^53`);
    const out = new Uint8Array(8);
    writeUint32(out, 0, Math.floor(value / 0x1_0000_0000));
    writeUint32(out, 4, value);
    return out;
  },
  deserialize: inPlace((topic, bytes, from, to) => {
    if (to - from !== 8) throw new RangeError(`${topic}: a whole number has 8 bytes, these are ${to - from}`);
    const whole = (readUint32(bytes, from) | 0) * 0x1_0000_0000 + readUint32(bytes, from + 4);
    if (!Number.isSafeInteger(whole)) throw new RangeError(`${topic}: ${whole} is not a whole number within ±2^53`);
    return whole;
  }),
  ofAnyTopic: true,
  oneForm: true,
};

/** For tests and small tools. The order of an object's members is part of the bytes, so do not use it for keys that are objects. */
const json = <T>(): Serde<T> => ({
  serialize: (_topic, value) => encoder.encode(JSON.stringify(value)),
  deserialize: (_topic, value): T => JSON.parse(jsonDecoder.decode(value)),
  ofAnyTopic: true,
});

export const Serdes = { string, bytes, long, integer, json } as const;
