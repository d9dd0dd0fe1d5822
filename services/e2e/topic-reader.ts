import type { Topic } from '@bookstream/schemas/topics';
import { type Fetcher, type KafkaPort, partitionName } from '@bookstream/streams/kafka/index';

/** Reads a topic as any consumer may: what is committed, from the earliest record on, for ever. */
export class TopicReader<V> implements AsyncDisposable {
  readonly #kafka: KafkaPort;
  readonly #topic: Topic<V>;
  readonly #positions = new Map<string, number>();
  #fetcher: Fetcher | null = null;

  private constructor(kafka: KafkaPort, topic: Topic<V>) {
    this.#kafka = kafka;
    this.#topic = topic;
  }

  /** @param onValue called for each value that can be read, in the order of its partition */
  static async open<V>(kafka: KafkaPort, topic: Topic<V>, onValue: (value: V) => void): Promise<TopicReader<V>> {
    const reader = new TopicReader(kafka, topic);
    const count = (await kafka.partitionCounts([topic.name])).get(topic.name) ?? 0;
    reader.#fetcher = kafka.fetcher({
      isolation: 'read_committed',
      maxWaitMs: 100,
      onBatch: (batch) => {
        for (const { value } of batch.records) {
          if (value === null) continue;
          try {
            onValue(topic.valueSerde.deserialize(topic.name, value));
          } catch {
            // Records that other tests have made unreadable on purpose.
          }
        }
        reader.#positions.set(partitionName(batch), batch.nextOffset);
      },
      onOutOfRange: (partition, _position, logStartOffset) => reader.#fetcher?.assign(partition, logStartOffset),
      onError: () => {},
    });
    for (let partition = 0; partition < count; partition += 1)
      reader.#fetcher.assign({ topic: topic.name, partition }, 0);
    return reader;
  }

  /** Waits until what is written now has been read. */
  async drain(withinMs = 15_000): Promise<void> {
    const count = (await this.#kafka.partitionCounts([this.#topic.name])).get(this.#topic.name) ?? 0;
    const partitions = Array.from({ length: count }, (_, partition) => ({ topic: this.#topic.name, partition }));
    const ends = await this.#kafka.endOffsets(partitions);
    const deadline = Date.now() + withinMs;
    while ([...ends].some(([name, end]) => (this.#positions.get(name) ?? 0) < end)) {
      if (Date.now() > deadline)
        throw new Error(`${this.#topic.name} could not be read to its end within ${withinMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fetcher?.close();
  }
}
