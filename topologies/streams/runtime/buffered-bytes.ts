import type { FetchedBatch, FetchedRecords, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

interface Batch {
  readonly records: number;
  readonly bytes: number;
}

/** Objects and positions that stand for a decoded record in memory, beside its bytes. */
const recordOverhead = 100;

const sizeOf = (records: FetchedRecords): number => {
  if (records.bytes !== undefined) return records.bytes;
  let bytes = 0;
  for (const { key, value, headers } of records) {
    bytes += recordOverhead + (key?.length ?? 0) + (value?.length ?? 0);
    for (const [name, content] of headers) bytes += name.length + content.length;
  }
  return bytes;
};

/** About what buffered records take in memory: counted batch by batch, for each record that is taken costs what is done for it. */
export class BufferedBytes {
  readonly #batches = new Map<string, Batch[]>();

  add(batch: FetchedBatch): void {
    if (batch.records.length === 0) return;
    const name = partitionName(batch);
    const batches = this.#batches.get(name) ?? [];
    batches.push({ records: batch.records.length, bytes: sizeOf(batch.records) });
    this.#batches.set(name, batches);
  }

  /** @param waiting records that are not processed yet, the newest of those that were added */
  of(partition: TopicPartition, waiting: number): number {
    const batches = this.#batches.get(partitionName(partition)) ?? [];
    let done = batches.reduce((sum, { records }) => sum + records, 0) - waiting;
    for (let first = batches[0]; first !== undefined && done >= first.records; first = batches[0]) {
      done -= first.records;
      batches.shift();
    }
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes, 0);
    const [first] = batches;
    return first === undefined ? 0 : bytes - first.bytes * (Math.max(0, done) / first.records);
  }

  forget(partition: TopicPartition): void {
    this.#batches.delete(partitionName(partition));
  }
}
