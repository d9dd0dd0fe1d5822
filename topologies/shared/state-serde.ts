import type { Serde } from '@bookstream/streams';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const isTagged = (value: unknown): value is { readonly $bigint: string } =>
  typeof value === 'object' && value !== null && '$bigint' in value;

/**
 * State of our own as JSON; bigints keep all their digits. It never leaves the application: what others read is Avro. Stores compare
 * bytes, so build equal states with their members in equal order.
 */
export const stateSerde = <T>(): Serde<T> => ({
  serialize: (_topic, value) =>
    encoder.encode(
      JSON.stringify(value, (_name, member) => (typeof member === 'bigint' ? { $bigint: String(member) } : member)),
    ),
  deserialize: (_topic, bytes): T =>
    JSON.parse(decoder.decode(bytes), (_name, member) => (isTagged(member) ? BigInt(member.$bigint) : member)),
});
