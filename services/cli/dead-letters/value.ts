import { type Topic, topics } from '@bookstream/schemas/topics';

/** Bytes as they are read on a topic; `problem` says why there is only hex. */
export type Decoded = { readonly value: unknown } | { readonly problem: string };

/** @param registry says why it cannot be asked; null: `connectSchemas` has been called */
export async function decodeValue(topic: string, bytes: Uint8Array, registry: string | null): Promise<Decoded> {
  const known = Object.values(topics).find(({ name }) => name === topic) as Topic<unknown> | undefined; // of whatever type: it is only shown
  if (known === undefined) return { problem: `${topic} is no topic of the contract` };
  if (registry !== null) return { problem: registry };
  try {
    await known.valueSerde.prepare?.(topic, bytes);
    return { value: known.valueSerde.deserialize(topic, bytes) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

export const asJson = (value: unknown): string =>
  JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? String(one) : one), 2);

const lineBytes = 16;
const mostBytes = 1_024;

/** As `hexdump -C` has it; of long ones the beginning. */
export function hexDump(bytes: Uint8Array): string {
  const shown = bytes.subarray(0, mostBytes);
  const lines = Array.from({ length: Math.ceil(shown.length / lineBytes) }, (_, line) => {
    const part = shown.subarray(line * lineBytes, (line + 1) * lineBytes);
    const hex = Array.from(part, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(part, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    return `${(line * lineBytes).toString(16).padStart(8, '0')}  ${hex.padEnd(lineBytes * 3 - 1)}  ${text}`;
  });
  const left = bytes.length - shown.length;
  return [...lines, ...(left > 0 ? [`… ${left} bytes more`] : [])].join('\n');
}
