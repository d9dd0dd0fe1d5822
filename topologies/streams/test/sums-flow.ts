import { expect } from 'vitest';
import { type KafkaPort, partitionForKey } from '../kafka/index.ts';
import { input, output } from './summing.ts';

const countOf = (sums: ReadonlyMap<string, readonly number[]>): number =>
  [...sums.values()].reduce((all, { length }) => all + length, 0);

/** What an application that sums was sent, what must come of it, and what has. */
export class SumsFlow implements AsyncDisposable {
  readonly from: typeof input;
  readonly to: typeof output;
  readonly #kafka: KafkaPort;
  readonly #partitions: number;
  readonly #sums = new Map<string, number>();
  readonly #expected = new Map<string, number[]>();
  readonly #seen = new Map<string, number[]>();
  readonly #reader;

  constructor(kafka: KafkaPort, from = input.name, to = output.name, partitions = 4) {
    this.#kafka = kafka;
    this.#partitions = partitions;
    this.from = { ...input, name: from };
    this.to = { ...output, name: to };
    this.#reader = kafka.fetcher({
      isolation: 'read_committed',
      onBatch: ({ records }) => {
        for (const { key, value } of records) {
          const name = Buffer.from(key ?? []).toString();
          const sum = output.valueSerde.deserialize(to, value ?? new Uint8Array());
          this.#seen.set(name, [...(this.#seen.get(name) ?? []), sum]);
        }
      },
      onOutOfRange: () => {},
      onError: (error) => {
        throw error;
      },
    });
  }

  /** Makes its topics and follows the sums. */
  async open(): Promise<this> {
    await this.#kafka.createTopics([this.from, this.to].map(({ name }) => ({ name, partitions: this.#partitions })));
    for (let partition = 0; partition < this.#partitions; partition += 1)
      this.#reader.assign({ topic: this.to.name, partition }, 0);
    return this;
  }

  /** Sends numbers to keys in turn and notes the sums they must give. */
  async send(count: number, keys = 23): Promise<void> {
    const producer = await this.#kafka.producer();
    const records = Array.from({ length: count }, (_, index) => {
      const key = `key-${index % keys}`;
      const number = 1 + (index % 7);
      const sum = (this.#sums.get(key) ?? 0) + number;
      this.#sums.set(key, sum);
      this.#expected.set(key, [...(this.#expected.get(key) ?? []), sum]);
      const bytes = input.keySerde.serialize(this.from.name, key);
      const value = input.valueSerde.serialize(this.from.name, number);
      const partition = partitionForKey(bytes, this.#partitions);
      return { topic: this.from.name, partition, timestamp: Date.now(), key: bytes, value, headers: [] };
    });
    for (let from = 0; from < count; from += 100) await producer.send(records.slice(from, from + 100));
    await producer.close();
  }

  get seen(): number {
    return countOf(this.#seen);
  }

  get expected(): number {
    return countOf(this.#expected);
  }

  /** Every sum that was to come has come, once and in order. */
  async summed(): Promise<void> {
    await expect.poll(() => this.seen, { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(this.expected);
    expect(Object.fromEntries([...this.#seen].sort())).toEqual(Object.fromEntries([...this.#expected].sort()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#reader.close();
  }
}
