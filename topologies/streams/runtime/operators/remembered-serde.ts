import type { Serde } from '../../serde.ts';
import { part } from '../../state/bytes.ts';

/** The value of a key's last record. In an object, because a null value is remembered too, and a store has no row for null. */
export interface Remembered {
  readonly value: unknown;
}

/** One byte that says whether there is a value, then it. */
export const rememberedSerde = (valueSerde: Serde<unknown>): Serde<Remembered> => ({
  serialize: (topic, { value }) => {
    if (value === null) return Uint8Array.of(0);
    const bytes = valueSerde.serialize(topic, value);
    const out = new Uint8Array(1 + bytes.length);
    out[0] = 1;
    out.set(bytes, 1);
    return out;
  },
  deserialize: (topic, bytes) => ({
    value: bytes[0] === 0 ? null : valueSerde.deserialize(topic, part(bytes, 1)),
  }),
});
