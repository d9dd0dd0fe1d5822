import { createHash } from 'node:crypto';

export type OrderId = string & { readonly __id: 'order' };
export type BookId = string & { readonly __id: 'book' };
export type UserId = string & { readonly __id: 'user' };
export type CommandId = string & { readonly __id: 'command' };
export type EventId = string & { readonly __id: 'event' };

/** The shop's own namespace (RFC 9562, section 6.6). Never change it: every id hangs on it. */
const namespace = '9f1a6c0e-51b5-4d3a-8e0d-6c2f3b7a9d10';

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** Name-based UUID, version 5 (RFC 9562, section 5.5): the same parts give the same id in every process and every replay. */
export function uuidv5(within: string, ...parts: readonly (string | number)[]): string {
  const hash = createHash('sha1').update(Buffer.from(within.replaceAll('-', ''), 'hex'));
  // Length-prefixed, so that ('ab', 'c') and ('a', 'bc') differ.
  for (const part of parts) hash.update(`${String(part).length}:${part}`);
  const bytes = hash.digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const text = hex(bytes);
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`;
}

/** One key serialises one ISBN. Hyphens do not matter. */
export const bookIdOf = (isbn13: string): BookId => uuidv5(namespace, 'book', isbn13.replaceAll('-', '')) as BookId;

/** The same intent of the same person is the same command, however often it is sent. */
export const commandIdOf = (userId: string, mutation: string, idempotencyKey: string): CommandId =>
  uuidv5(namespace, 'command', userId, mutation, idempotencyKey) as CommandId;

export const orderIdOf = (commandId: string): OrderId => uuidv5(commandId, 'order') as OrderId;

export const lineIdOf = (orderId: string, index: number): string => uuidv5(orderId, 'line', index);

/** A replay makes the same events again: the id comes from the cause and the place, not from the moment. */
export const eventIdOf = (
  causeEventId: string,
  applicationId: string,
  nodeName: string,
  outputIndex: number,
): EventId => uuidv5(causeEventId, applicationId, nodeName, outputIndex) as EventId;

const alphabet = '23456789BCDFGHJKMNPQRSTVWXYZ';

/** What a person reads out on the phone: no vowels, nothing that looks like another letter. `BS-7KQ2M9XD` */
export function orderNumberOf(orderId: string): string {
  let rest = BigInt(`0x${orderId.replaceAll('-', '').slice(0, 16)}`);
  let number = '';
  for (let digit = 0; digit < 8; digit += 1) {
    number += alphabet[Number(rest % BigInt(alphabet.length))];
    rest /= BigInt(alphabet.length);
  }
  return `BS-${number}`;
}
