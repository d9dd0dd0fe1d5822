import type { ByteWriter } from './bytes.ts';
import { ProduceRefusalError } from './errors.ts';
import { type ProducedRecord, partitionName, type RecordsToSend } from './port.ts';
import type { PartitionBatch, ProducedPartition } from './protocol/produce.ts';
import { batchHeaderBytes, recordOverhead, type Span, writeBatch } from './record-batch.ts';
import { packsOf } from './record-pack.ts';

/**
 * Below the broker's default message.max.bytes (1,048,588), which bounds a batch; a topic's own limit may be lower. A larger record goes alone and
 * is the broker's to judge.
 */
const maxBatchBytes = 900_000;

/** Sequence numbers have 31 bits, and behind the last one comes 0 (`DefaultRecordBatch.incrementSequence`). */
const sequenceCount = 2 ** 31;

/** Records of one partition that fit one batch. */
export type Share = readonly Span[];

/** A batch of a round, and what was written into it. */
export interface RoundBatch extends PartitionBatch {
  readonly share: Share;
  readonly baseSequence: number;
}

/** 10 larger than max.message.bytes of its topic, 18 than segment.bytes. */
const tooLargeCodes: readonly number[] = [10, 18];

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
    const whole = ofPartition.map((list): Span => ({ list, from: 0, to: list.count }));
    sharesOf(whole, maxBytes).forEach((share, round) => {
      rounds[round] ??= [];
      rounds[round].push(share);
    });
  }
  return rounds;
};

/** Cuts what a producer sends into rounds, smaller ones where a broker has shown that it takes no larger batches. */
export class BatchCutter {
  /** Bytes by topic: half of the last batch that was too large, and so more than half of what the topic takes. */
  readonly #shown = new Map<string, number>();

  /** See `cutIntoRounds`. */
  cut(records: RecordsToSend, maxBytesOf?: (topic: string) => number): (readonly Share[])[] {
    const most = Number.POSITIVE_INFINITY;
    return [
      ...cutIntoRounds(records, (topic) => Math.min(maxBytesOf?.(topic) ?? most, this.#shown.get(topic) ?? most)),
    ];
  }

  /**
   * A batch that was refused for its size, in halves. Nothing of it was taken, so they carry its sequence numbers: these are set back.
   * @returns rounds to send before all others; empty: it holds one record alone, or was refused for something else
   */
  cutSmaller(batch: RoundBatch, errorCode: number, sequences: Map<string, number>): (readonly Share[])[] {
    if (!tooLargeCodes.includes(errorCode) || countOf(batch.share) < 2) return [];
    const maxBytes = Math.floor(batch.batch.length / 2);
    this.#shown.set(batch.topic, maxBytes);
    sequences.set(partitionName(batch), batch.baseSequence);
    return sharesOf(batch.share, maxBytes).map((share) => [share]);
  }
}

/** With the records that the broker names, or the only one of the batch. */
export const refusalOf = (
  batch: RoundBatch,
  { errorCode, message, badRecords }: ProducedPartition,
): ProduceRefusalError => {
  const named = countOf(batch.share) === 1 ? [0] : badRecords;
  const records = named.flatMap((index) => recordAt(batch.share, index) ?? []);
  return new ProduceRefusalError(batch, errorCode, message, records);
};

const countOf = (share: Share): number => share.reduce((sum, { from, to }) => sum + to - from, 0);

function recordAt(share: Share, index: number): ProducedRecord | null {
  let left = index;
  for (const { list, from, to } of share) {
    if (left < to - from) return list.record(from + left);
    left -= to - from;
  }
  return null;
}

const boundOf = ({ list, from, to }: Span): number =>
  list.startOf(to) - list.startOf(from) + (to - from) * recordOverhead;

function sharesOf(whole: Share, maxBytes: number): readonly Share[] {
  if (whole.reduce((sum, span) => sum + boundOf(span), batchHeaderBytes) <= maxBytes) return [whole];
  const shares: Span[][] = [];
  let share: Span[] = [];
  let size = batchHeaderBytes;
  for (const { list, from: first, to: last } of whole) {
    let from = first;
    const cut = (to: number): void => {
      if (to > from) share.push({ list, from, to });
      from = to;
    };
    for (let index = first; index < last; index += 1) {
      const bound = list.startOf(index + 1) - list.startOf(index) + recordOverhead;
      if (size > batchHeaderBytes && size + bound > maxBytes) {
        cut(index);
        shares.push(share);
        share = [];
        size = batchHeaderBytes;
      }
      size += bound;
    }
    cut(last);
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
): RoundBatch[] => {
  const places = round.map((share) => {
    // A share is cut with at least one record in it.
    const { topic, partition } = (share[0] as Span).list;
    const name = partitionName({ topic, partition });
    const baseSequence = sequences.get(name) ?? 0;
    sequences.set(name, (baseSequence + countOf(share)) % sequenceCount);
    const from = slab.position;
    writeBatch(slab, share, { ...stamp, baseSequence });
    return { topic, partition, share, baseSequence, from, to: slab.position };
  });
  // Cut only now: the slab moves while it grows.
  const written = slab.bytes();
  return places.map(({ from, to, ...place }) => ({ ...place, batch: written.subarray(from, to) }));
};
