/**
 * Turns keys and values into bytes and back. Both ways are synchronous; null never reaches a serde, it is null on the wire too.
 * Encoding must be stable: equal values give equal bytes, because stores, partitions and joins compare bytes.
 */
export interface Serde<T> {
  serialize(topic: string, value: T): Uint8Array;
  /** @throws when the bytes are not a `T`; the record then goes to the deserialisation handler. */
  deserialize(topic: string, bytes: Uint8Array): T;
  /**
   * Fetches what `deserialize` needs for these bytes (a schema). Undefined: nothing is missing. The promise resolves when the answer is
   * known, also when it is "there is no such schema" (then `deserialize` throws), and rejects while it cannot be known: ask again later.
   */
  prepare?(topic: string, bytes: Uint8Array): Promise<void> | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

const string: Serde<string> = {
  serialize: (_topic, value) => encoder.encode(value),
  deserialize: (_topic, bytes) => decoder.decode(bytes),
};

const bytes: Serde<Uint8Array> = {
  serialize: (_topic, value) => value,
  deserialize: (_topic, value) => value,
};

/** Signed 64 bit, big-endian, as Kafka's LongSerializer writes it. */
const long: Serde<bigint> = {
  serialize: (_topic, value) => {
    const out = new Uint8Array(8);
    new DataView(out.buffer).setBigInt64(0, value);
    return out;
  },
  deserialize: (topic, value) => {
    if (value.length !== 8) throw new RangeError(`${topic}: a long has 8 bytes, these are ${value.length}`);
    return new DataView(value.buffer, value.byteOffset, 8).getBigInt64(0);
  },
};

/** Whole numbers within ±2^53 in the bytes of `long`. */
const integer: Serde<number> = {
  serialize: (topic, value) => {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${topic}: ${value} is not a whole number within ±2^53`);
    return long.serialize(topic, BigInt(value));
  },
  deserialize: (topic, value) => Number(long.deserialize(topic, value)),
};

/** For tests and small tools. The order of an object's members is part of the bytes, so do not use it for keys that are objects. */
const json = <T>(): Serde<T> => ({
  serialize: (_topic, value) => encoder.encode(JSON.stringify(value)),
  deserialize: (_topic, value): T => JSON.parse(decoder.decode(value)),
});

export const Serdes = { string, bytes, long, integer, json } as const;
