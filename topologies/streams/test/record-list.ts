import type { Header, ProducedRecord } from '../kafka/port.ts';
import type { RecordCollector } from '../kafka/record-pack.ts';

/** Records as objects: for a log in memory, which keeps them. */
export class RecordList implements RecordCollector {
  #records: ProducedRecord[] = [];

  get length(): number {
    return this.#records.length;
  }

  append(
    topic: string,
    partition: number,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly Header[],
  ): void {
    this.#records.push({ topic, partition, timestamp, key, value, headers });
  }

  takeBack(length: number): void {
    this.#records.length = length;
  }

  clear(): void {
    this.#records = [];
  }

  [Symbol.iterator](): Iterator<ProducedRecord> {
    return this.#records[Symbol.iterator]();
  }
}
