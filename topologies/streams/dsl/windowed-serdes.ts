import { partitionForKey } from '../kafka/partitioner.ts';
import type { Serde } from '../serde.ts';
import { readTime, writeTime } from '../state/key-value-store.ts';
import type { Windowed } from './windowed.ts';

/** Of keys within windows. */
export interface WindowedSerde<K> extends Serde<Windowed<K>> {
  /** The key without its window: all windows of a key go to its partition. */
  serializeBaseKey(topic: string, windowed: Windowed<K>): Uint8Array;
}

const longBytes = 8;

/** The key, then `times` of eight bytes each. */
function windowedSerde<K>(
  inner: Serde<K>,
  times: number,
  write: (out: Uint8Array, at: number, window: Windowed<K>['window']) => void,
  read: (bytes: Uint8Array, at: number) => Windowed<K>['window'],
): WindowedSerde<K> {
  const suffix = times * longBytes;
  const keyOf = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, bytes.length - suffix);
  return {
    serialize: (topic, { key, window }) => {
      const bytes = inner.serialize(topic, key);
      const out = new Uint8Array(bytes.length + suffix);
      out.set(bytes);
      write(out, bytes.length, window);
      return out;
    },
    deserialize: (topic, bytes) => {
      if (bytes.length < suffix)
        throw new RangeError(`${topic}: ${bytes.length} bytes are no windowed key, its times alone take ${suffix}`);
      return { key: inner.deserialize(topic, keyOf(bytes)), window: read(bytes, bytes.length - suffix) };
    },
    prepare: (topic, bytes) => (bytes.length < suffix ? undefined : inner.prepare?.(topic, keyOf(bytes))),
    serializeBaseKey: (topic, { key }) => inner.serialize(topic, key),
  };
}

/** `TimeWindowedSerializer`: the key and the window's start. The size is not in the bytes, so a reader must know it. */
const timeWindowed = <K>(inner: Serde<K>, windowSizeMs: number): WindowedSerde<K> =>
  windowedSerde(
    inner,
    1,
    (out, at, { startMs }) => writeTime(out, at, startMs),
    (bytes, at) => ({ startMs: readTime(bytes, at), endMs: readTime(bytes, at) + windowSizeMs }),
  );

/** `SessionWindowedSerializer`: the key, the session's end and its start. */
const sessionWindowed = <K>(inner: Serde<K>): WindowedSerde<K> =>
  windowedSerde(
    inner,
    2,
    (out, at, { startMs, endMs }) => {
      writeTime(out, at, endMs);
      writeTime(out, at + longBytes, startMs);
    },
    (bytes, at) => ({ startMs: readTime(bytes, at + longBytes), endMs: readTime(bytes, at) }),
  );

/** For topics with windowed keys. The bytes are Kafka Streams' own. */
export const WindowedSerdes = { timeWindowed, sessionWindowed } as const;

/** `WindowedStreamPartitioner`: null where keys have no window. */
export function windowedPartitioner(
  topic: string,
  serde: Serde<unknown>,
): ((key: unknown, value: unknown, partitions: number) => number) | null {
  if (!('serializeBaseKey' in serde)) return null;
  const windowed = serde as WindowedSerde<unknown>; // no other serde has that method
  return (key, _value, partitions) =>
    partitionForKey(key === null ? null : windowed.serializeBaseKey(topic, key as Windowed<unknown>), partitions); // its keys have windows
}
