import type { Header } from '../kafka/port.ts';
import type { RecordMetadata } from '../runtime/record.ts';
import { bytesOfTime, readTime, writeTime } from './key-value-store.ts';
import { packed, unpacked } from './packed.ts';

/** What a record that is held back needs beside its key and value to go on later as itself. */
export interface HeldContext {
  readonly timestamp: number;
  readonly headers: readonly Header[];
  /** Null: a punctuator sent it. */
  readonly metadata: RecordMetadata | null;
}

const utf8 = new TextEncoder();
const text = new TextDecoder();
const nothing = new Uint8Array(0);

/** Time, topic, partition and offset, then names and values of the headers. */
export function contextBytes({ timestamp, headers, metadata }: HeldContext): Uint8Array {
  const place = metadata === null ? null : new Uint8Array(16);
  if (metadata !== null && place !== null) {
    writeTime(place, 0, metadata.partition);
    writeTime(place, 8, metadata.offset);
  }
  const topic = metadata === null ? null : utf8.encode(metadata.topic);
  return packed([
    bytesOfTime(timestamp),
    topic,
    place,
    ...headers.flatMap(([name, value]) => [utf8.encode(name), value]),
  ]);
}

export function contextOf(bytes: Uint8Array): HeldContext {
  const [time, topic, place, ...headers] = unpacked(bytes);
  return {
    timestamp: readTime(time ?? nothing, 0),
    metadata:
      topic && place ? { topic: text.decode(topic), partition: readTime(place, 0), offset: readTime(place, 8) } : null,
    headers: headers.flatMap((name, at): Header[] =>
      at % 2 === 0 ? [[text.decode(name ?? nothing), headers[at + 1] ?? nothing]] : [],
    ),
  };
}
