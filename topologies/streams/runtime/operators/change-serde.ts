import type { Serde } from '../../serde.ts';
import { bytesOfLength, part, readUint32, writeUint32 } from '../../state/bytes.ts';
import type { Change } from '../record.ts';

/**
 * A table's change on a repartition topic: the length of the new value in four bytes (all ones: there is none), the new value, then one
 * byte that says whether an old value follows, and it.
 */
export const changeSerde = <V>(valueSerde: Serde<V>): Serde<Change<V>> => ({
  serialize: (topic, { newValue, oldValue }) => {
    const now = newValue === null ? null : valueSerde.serialize(topic, newValue);
    const before = oldValue === null ? null : valueSerde.serialize(topic, oldValue);
    const nowLength = now?.length ?? 0;
    const out = bytesOfLength(5 + nowLength + (before?.length ?? 0));
    writeUint32(out, 0, now === null ? none : nowLength);
    if (now !== null) out.set(now, 4);
    out[4 + nowLength] = before === null ? 0 : 1;
    if (before !== null) out.set(before, 5 + nowLength);
    return out;
  },
  deserialize: (topic, bytes) => {
    const length = readUint32(bytes, 0);
    const end = 4 + (length === none ? 0 : length);
    return {
      newValue: length === none ? null : valueSerde.deserialize(topic, part(bytes, 4, end)),
      oldValue: bytes[end] === 1 ? valueSerde.deserialize(topic, part(bytes, end + 1)) : null,
      isLatest: true,
    };
  },
});

const none = 0xffff_ffff;
