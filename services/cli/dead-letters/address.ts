import { partitionName, type TopicPartition } from '@bookstream/streams/kafka/index';
import { InvalidArgumentError } from 'commander';

/** Where a record lies. */
export interface Address extends TopicPartition {
  readonly offset: number;
}

/** `orders.commands.dlq-2@17` */
export const addressText = (at: Address): string => `${partitionName(at)}@${at.offset}`;

/** @throws InvalidArgumentError */
export function addressOf(text: string): Address {
  const [, topic, partition, offset] = /^(.+)-(\d+)@(\d+)$/.exec(text) ?? [];
  if (topic === undefined)
    throw new InvalidArgumentError(
      `${JSON.stringify(text)} is no address of a letter, such as orders.commands.dlq-2@17; \`dlq list --by letter\` tells them.`,
    );
  return { topic, partition: Number(partition), offset: Number(offset) };
}

/** Null: it is no text. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Keys of the shop are text; others are told as hex behind 0x. */
export const keyText = (key: Uint8Array): string => textOf(key) ?? `0x${Buffer.from(key).toString('hex')}`;
