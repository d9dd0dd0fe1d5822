import { hash as digest } from 'node:crypto';
import type { Serde } from '../../serde.ts';
import { part } from '../../state/bytes.ts';

/**
 * What a left row asks of the right side of a foreign-key join (`SubscriptionWrapper.Instruction`).
 *
 * - `unsubscribe`: forget the row and say nothing, since its new subscription answers
 * - `unsubscribe-and-answer`: forget the row and answer that there is nothing
 * - `answer-if-found`: remember the row; without a right row nothing is to be told
 * - `answer`: remember the row and answer in any case
 */
export type Instruction = 'unsubscribe' | 'unsubscribe-and-answer' | 'answer-if-found' | 'answer';

/** On its way to the right side, keyed by the foreign key. */
export interface Subscription {
  readonly instruction: Instruction;
  /** Where the answer goes: the task of the left row. */
  readonly leftPartition: number;
  /** 128 bits of the left row's version; null: the row was deleted. */
  readonly hash: Uint8Array | null;
  /** The left key as bytes: the right side never reads it. */
  readonly primaryKey: Uint8Array;
}

/** On its way back, keyed by the left key. */
export interface SubscriptionResponse<V> {
  /** Not on the wire; the sink chooses the partition by it. */
  readonly leftPartition: number;
  readonly hash: Uint8Array | null;
  /** The right row; null: there is none. */
  readonly value: V | null;
}

const instructions: readonly Instruction[] = ['unsubscribe', 'unsubscribe-and-answer', 'answer-if-found', 'answer'];
const hashBytes = 16;
/** Of both forms on the wire: a later form is told by it during a rolling upgrade. */
const version = 0;

/** Version, instruction, four bytes of left partition, whether a hash follows, the hash, the left key. */
export const subscriptionSerde: Serde<Subscription> = {
  serialize: (_topic, { instruction, leftPartition, hash, primaryKey }) => {
    const head = 7 + (hash?.length ?? 0);
    const out = new Uint8Array(head + primaryKey.length);
    out[0] = version;
    out[1] = instructions.indexOf(instruction);
    new DataView(out.buffer).setUint32(2, leftPartition);
    out[6] = hash === null ? 0 : 1;
    if (hash !== null) out.set(hash, 7);
    out.set(primaryKey, head);
    return out;
  },
  deserialize: (topic, bytes) => {
    const instruction = instructions[bytes[1] ?? instructions.length];
    if (bytes[0] !== version || instruction === undefined) throw unknownForm(topic, bytes);
    const head = 7 + (bytes[6] === 1 ? hashBytes : 0);
    return {
      instruction,
      leftPartition: new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(2),
      hash: bytes[6] === 1 ? part(bytes, 7, head) : null,
      primaryKey: part(bytes, head),
    };
  },
};

/** Version, whether a hash follows, the hash, whether a right row follows, the row. */
export const responseSerde = <V>(valueSerde: Serde<V>): Serde<SubscriptionResponse<V>> => ({
  serialize: (topic, { hash, value }) => {
    const row = value === null ? null : valueSerde.serialize(topic, value);
    const head = 2 + (hash?.length ?? 0);
    const out = new Uint8Array(head + 1 + (row?.length ?? 0));
    out[0] = version;
    out[1] = hash === null ? 0 : 1;
    if (hash !== null) out.set(hash, 2);
    out[head] = row === null ? 0 : 1;
    if (row !== null) out.set(row, head + 1);
    return out;
  },
  deserialize: (topic, bytes) => {
    if (bytes[0] !== version) throw unknownForm(topic, bytes);
    const head = 2 + (bytes[1] === 1 ? hashBytes : 0);
    return {
      leftPartition: -1,
      hash: bytes[1] === 1 ? part(bytes, 2, head) : null,
      value: bytes[head] === 1 ? valueSerde.deserialize(topic, part(bytes, head + 1)) : null,
    };
  },
});

const unknownForm = (topic: string, bytes: Uint8Array) =>
  new RangeError(
    `${topic}: a message of form ${bytes[0]}.${bytes[1]} is not known here; run the version that wrote it`,
  );

/** Rows of one foreign key lie side by side, in the order of their left keys: `length | foreign key | left key` (`CombinedKeySchema`). */
export function subscriptionKey(foreignKey: Uint8Array, primaryKey: Uint8Array): Uint8Array {
  const prefix = subscriptionPrefix(foreignKey);
  const out = new Uint8Array(prefix.length + primaryKey.length);
  out.set(prefix);
  out.set(primaryKey, prefix.length);
  return out;
}

export function subscriptionPrefix(foreignKey: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 + foreignKey.length);
  new DataView(out.buffer).setUint32(0, foreignKey.length);
  out.set(foreignKey, 4);
  return out;
}

/** 128 bits: two versions of one row never share them by chance. */
export const versionHash = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(digest('sha256', bytes, 'buffer').subarray(0, hashBytes));
