import type { ByteWriter } from './bytes.ts';
import { type ProducedRecord, partitionName } from './port.ts';
import type { PartitionBatch } from './protocol.ts';
import { recordSizeBound, writeBatch } from './record-batch.ts';

/** Below the broker's default message.max.bytes (1,048,588), which bounds a batch. A larger record goes alone and is the broker's to judge. */
const maxBatchBytes = 900_000;

/** Records of one partition that fit one batch. */
export type Share = readonly ProducedRecord[];

/**
 * A request holds one batch per partition, so what does not fit is sent in rounds, one after the other's answer: the broker wants the
 * sequence numbers of a partition without a gap.
 */
export const cutIntoRounds = (records: readonly ProducedRecord[]): readonly (readonly Share[])[] => {
  const rounds: Share[][] = [];
  for (const list of Map.groupBy(records, partitionName).values()) {
    let round = 0;
    let from = 0;
    let size = 61;
    const cut = (to: number): void => {
      rounds[round] ??= [];
      rounds[round]?.push(from === 0 && to === list.length ? list : list.slice(from, to));
      round++;
      from = to;
      size = 61;
    };
    list.forEach((record, index) => {
      const bound = recordSizeBound(record);
      if (index > from && size + bound > maxBatchBytes) cut(index);
      size += bound;
    });
    cut(list.length);
  }
  return rounds;
};

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
    const { topic, partition } = share[0] as ProducedRecord;
    const name = partitionName({ topic, partition });
    const baseSequence = sequences.get(name) ?? 0;
    sequences.set(name, baseSequence + share.length);
    const from = slab.position;
    writeBatch(slab, share, 0, share.length, { ...stamp, baseSequence });
    return { topic, partition, from, to: slab.position };
  });
  // Cut only now: the slab moves while it grows.
  const written = slab.bytes();
  return places.map(({ topic, partition, from, to }) => ({ topic, partition, batch: written.subarray(from, to) }));
};
