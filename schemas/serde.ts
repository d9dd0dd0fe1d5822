import { isLocal, localType } from './avro-types.ts';
import { MalformedRecordError, SchemaNotFoundError, SchemaUnusableError } from './errors.ts';
import { fullNameOf } from './local-schemas.ts';
import type { TopicEntry } from './manifest.ts';
import { type Reader, schemas } from './schema-ids.ts';

export { MalformedRecordError, RegistryUnavailableError, SchemaNotFoundError, SchemaUnusableError } from './errors.ts';
export { connectSchemas, useLocalSchemas } from './schema-ids.ts';

/** The same shape as the stream library's Serde, so that a topic here is a topic there. */
export interface Serde<T> {
  serialize(topic: string, value: T): Uint8Array;
  /** @throws SchemaNotFoundError, SchemaUnusableError, MalformedRecordError */
  deserialize(topic: string, bytes: Uint8Array): T;
  /** Undefined: nothing is missing. Resolves when the schema is known, or known to be of no use; rejects (retriable) while the registry is away. */
  prepare?(topic: string, bytes: Uint8Array): Promise<void> | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Keys are plain UTF-8, never framed: partitioning and joins compare their bytes. */
export const keySerde: Serde<string> = {
  serialize: (_topic, key) => encoder.encode(key),
  deserialize: (_topic, bytes) => decoder.decode(bytes),
};

const headerBytes = 5;

/** The schema id of the Confluent wire format: a zero byte, then four bytes, big-endian. Null when it is something else. */
const schemaIdOf = (bytes: Uint8Array): number | null =>
  bytes.length < headerBytes || bytes[0] !== 0
    ? null
    : new DataView(bytes.buffer, bytes.byteOffset, headerBytes).getUint32(1);

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function prepare(_topic: string, bytes: Uint8Array): Promise<void> | undefined {
  const id = schemaIdOf(bytes);
  if (id === null) return undefined;
  const { readers, missing, ask } = schemas();
  if (readers.has(id) || (missing.get(id)?.until ?? 0) > Date.now()) return undefined;
  return ask(id);
}

function decode(topic: string, bytes: Uint8Array, reader: Reader): object {
  const buffer = asBuffer(bytes);
  try {
    const { value, offset } = reader.type.decode(buffer, headerBytes, reader.resolver);
    if (offset < 0) throw new MalformedRecordError(topic, `the bytes end before ${reader.fullName} does`);
    if (offset !== buffer.length) {
      throw new MalformedRecordError(topic, `${reader.fullName} ends at byte ${offset} of ${buffer.length}`);
    }
    value.type = reader.shortName;
    return value;
  } catch (error) {
    if (error instanceof MalformedRecordError) throw error;
    throw new MalformedRecordError(topic, `the bytes are no ${reader.fullName}`, { cause: error });
  }
}

/** Reads and writes the records of one topic; the value's `type` names the record. */
export function avroSerde<T extends { readonly type: string }>(entry: TopicEntry): Serde<T> {
  const fullNames = new Map(entry.records.map((record) => [record, fullNameOf(entry.context, record)]));
  return {
    serialize(topic, value) {
      const fullName = fullNames.get(value.type);
      if (fullName === undefined || !isLocal(fullName)) {
        throw new TypeError(`${topic} takes ${entry.records.join(', ')}, not ${value.type}; nothing was written`);
      }
      const id = schemas().idOf.get(fullName);
      if (id === undefined) throw new SchemaNotFoundError(topic, 0);
      const type = localType(fullName);
      let buffer = Buffer.allocUnsafe(512);
      let end: number;
      try {
        end = type.encode(value, buffer, headerBytes);
        if (end < 0) {
          buffer = Buffer.allocUnsafe(buffer.length - end);
          end = type.encode(value, buffer, headerBytes);
        }
      } catch (error) {
        const wrong: string[] = [];
        type.isValid(value, { errorHook: (path) => wrong.push(path.join('.')) });
        throw new TypeError(`${topic}: not a ${fullName}: ${wrong.join(', ') || String(error)}; nothing was written`, {
          cause: error,
        });
      }
      buffer[0] = 0;
      buffer.writeUInt32BE(id, 1);
      return buffer.subarray(0, end);
    },
    deserialize(topic, bytes) {
      const id = schemaIdOf(bytes);
      if (id === null)
        throw new MalformedRecordError(topic, 'the value does not begin with a zero byte and a schema id');
      const { readers, missing } = schemas();
      const reader = readers.get(id);
      if (reader === undefined) {
        const cause = missing.get(id)?.cause;
        throw cause ? new SchemaUnusableError(topic, id, cause) : new SchemaNotFoundError(topic, id);
      }
      if (!fullNames.has(reader.shortName) || fullNames.get(reader.shortName) !== reader.fullName) {
        throw new MalformedRecordError(topic, `${reader.fullName} does not belong on this topic`);
      }
      return decode(topic, bytes, reader) as T; // the record's name was checked against the topic's union
    },
    prepare,
  };
}
