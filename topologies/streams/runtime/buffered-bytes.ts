import type { ConsumedRecord, FetchedBatch, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

interface Batch {
  readonly start: number;
  /** Behind its last record. */
  readonly end: number;
  readonly bytes: number;
}

/** Objects and positions that stand for a record in memory, beside its bytes. */
const recordOverhead = 100;

const sizeOf = ({ key, value, headers }: ConsumedRecord): number => {
  let bytes = recordOverhead + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, content] of headers) bytes += name.length + content.length;
  return bytes;
};

/** About what buffered records take in memory: counted batch by batch, for each record that is taken costs what is done for it. */
export class BufferedBytes {
  readonly #batches = new Map<string, Batch[]>();

  add(batch: FetchedBatch): void {
    const [first, last] = [batch.records[0], batch.records.at(-1)];
    if (first === undefined || last === undefined) return;
    let bytes = 0;
    for (const record of batch.records) bytes += sizeOf(record);
    const name = partitionName(batch);
    const batches = this.#batches.get(name) ?? [];
    batches.push({ start: first.offset, end: last.offset + 1, bytes });
    this.#batches.set(name, batches);
  }

  /** @param position next offset that is processed */
  of(partition: TopicPartition, position: number): number {
    const batches = this.#batches.get(partitionName(partition)) ?? [];
    const done = batches.findIndex(({ end }) => end > position);
    batches.splice(0, done === -1 ? batches.length : done);
    return batches.reduce((sum, { start, end, bytes }) => {
      const left = Math.min(1, (end - position) / (end - start));
      return sum + bytes * left;
    }, 0);
  }

  forget(partition: TopicPartition): void {
    this.#batches.delete(partitionName(partition));
  }
}
