import type { ByteWriter } from './bytes.ts';
import { type ProducedRecord, partitionName } from './port.ts';
import type { PartitionBatch } from './protocol.ts';
import { recordSizeBound, writeBatch } from './record-batch.ts';

/**
 * Below the broker's default message.max.bytes (1,048,588), which bounds a batch; a topic's own limit may be lower. A larger record goes alone and
 * is the broker's to judge.
 */
const maxBatchBytes = 900_000;

/** Records of one partition that fit one batch. */
export type Share = readonly ProducedRecord[];

/**
 * A request holds one batch per partition, so what does not fit is sent in rounds, one after the other's answer: the broker wants the
 * sequence numbers of a partition without a gap.
 * @param maxBytesOf max.message.bytes of a topic
 */
export const cutIntoRounds = (
  records: readonly ProducedRecord[],
  maxBytesOf?: (topic: string) => number,
): readonly (readonly Share[])[] => {
  const rounds: Share[][] = [];
  for (const list of byPartition(records)) {
    let round = 0;
    let from = 0;
    let size = 61;
    const maxBytes = Math.min(maxBatchBytes, maxBytesOf?.(list[0]?.topic ?? '') ?? maxBatchBytes);
    const cut = (to: number): void => {
      rounds[round] ??= [];
      rounds[round]?.push(from === 0 && to === list.length ? list : list.slice(from, to));
      round++;
      from = to;
      size = 61;
    };
    list.forEach((record, index) => {
      const bound = recordSizeBound(record);
      if (index > from && size + bound > maxBytes) cut(index);
      size += bound;
    });
    cut(list.length);
  }
  return rounds;
};

/** Without a name for each record: there are many records and few partitions. */
function byPartition(records: readonly ProducedRecord[]): readonly ProducedRecord[][] {
  const lists: ProducedRecord[][] = [];
  const topics = new Map<string, (ProducedRecord[] | undefined)[]>();
  let topic: string | null = null;
  let partitions: (ProducedRecord[] | undefined)[] = [];
  for (const record of records) {
    if (record.topic !== topic) {
      topic = record.topic;
      partitions = topics.get(topic) ?? [];
      topics.set(topic, partitions);
    }
    const list = partitions[record.partition];
    if (list !== undefined) {
      list.push(record);
      continue;
    }
    const begun = [record];
    partitions[record.partition] = begun;
    lists.push(begun);
  }
  return lists;
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
