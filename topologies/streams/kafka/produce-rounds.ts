import type { ByteWriter } from './bytes.ts';
import { partitionName, type RecordsToSend } from './port.ts';
import type { PartitionBatch } from './protocol/produce.ts';
import { batchHeaderBytes, recordOverhead, type Span, writeBatch } from './record-batch.ts';
import { type PartitionRecords, packsOf } from './record-pack.ts';

/**
 * Below the broker's default message.max.bytes (1,048,588), which bounds a batch; a topic's own limit may be lower. A larger record goes alone and
 * is the broker's to judge.
 */
const maxBatchBytes = 900_000;

/** Sequence numbers have 31 bits, and behind the last one comes 0 (`DefaultRecordBatch.incrementSequence`). */
const sequenceCount = 2 ** 31;

/** Records of one partition that fit one batch. */
export type Share = readonly Span[];

/**
 * A request holds one batch per partition, so what does not fit is sent in rounds, one after the other's answer: the broker wants the
 * sequence numbers of a partition without a gap.
 * @param maxBytesOf max.message.bytes of a topic
 */
export const cutIntoRounds = (
  records: RecordsToSend,
  maxBytesOf?: (topic: string) => number,
): readonly (readonly Share[])[] => {
  const lists = packsOf(records).flatMap((pack) => pack.lists.filter(({ count }) => count > 0));
  const rounds: Share[][] = [];
  for (const ofPartition of Map.groupBy(lists, partitionName).values()) {
    const maxBytes = Math.min(maxBatchBytes, maxBytesOf?.(ofPartition[0]?.topic ?? '') ?? maxBatchBytes);
    sharesOf(ofPartition, maxBytes).forEach((share, round) => {
      rounds[round] ??= [];
      rounds[round].push(share);
    });
  }
  return rounds;
};

const boundOf = (list: PartitionRecords): number => list.bytes + list.count * recordOverhead;

function sharesOf(lists: readonly PartitionRecords[], maxBytes: number): readonly Share[] {
  const whole = lists.map((list): Span => ({ list, from: 0, to: list.count }));
  if (lists.reduce((sum, list) => sum + boundOf(list), batchHeaderBytes) <= maxBytes) return [whole];
  const shares: Span[][] = [];
  let share: Span[] = [];
  let size = batchHeaderBytes;
  for (const list of lists) {
    let from = 0;
    const cut = (to: number): void => {
      if (to > from) share.push({ list, from, to });
      from = to;
    };
    for (let index = 0; index < list.count; index += 1) {
      const bound = list.startOf(index + 1) - list.startOf(index) + recordOverhead;
      if (size > batchHeaderBytes && size + bound > maxBytes) {
        cut(index);
        shares.push(share);
        share = [];
        size = batchHeaderBytes;
      }
      size += bound;
    }
    cut(list.count);
  }
  shares.push(share);
  return shares;
}

/**
 * Writes a round into the slab.
 * @param sequences next sequence number by partition; moved on
 * @returns batches that are views of the slab: valid until it is reset
 */
export const encodeRound = (
  slab: ByteWriter,
  round: readonly Share[],
  stamp: { readonly producerId: number; readonly producerEpoch: number; readonly transactional: boolean },
  sequences: Map<string, number>,
): PartitionBatch[] => {
  const places = round.map((share) => {
    // A share is cut with at least one record in it.
    const { topic, partition } = (share[0] as Span).list;
    const name = partitionName({ topic, partition });
    const baseSequence = sequences.get(name) ?? 0;
    const next = share.reduce((sum, { from, to }) => sum + to - from, baseSequence);
    sequences.set(name, next % sequenceCount);
    const from = slab.position;
    writeBatch(slab, share, { ...stamp, baseSequence });
    return { topic, partition, from, to: slab.position };
  });
  // Cut only now: the slab moves while it grows.
  const written = slab.bytes();
  return places.map(({ topic, partition, from, to }) => ({ topic, partition, batch: written.subarray(from, to) }));
};
