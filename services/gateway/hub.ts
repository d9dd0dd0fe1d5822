import { type Topic, topics } from '@bookstream/schemas/topics';
import type { CommandOutcome } from '@bookstream/schemas/types/outcomes';
import type { FetchedBatch, Fetcher, KafkaPort } from '@bookstream/streams/kafka/index';
import { partitionName } from '@bookstream/streams/kafka/index';
import type { Logger } from '../platform/logger.ts';

type Outcome = CommandOutcome;
type Listener = (value: Uint8Array) => Promise<void>;

const outcomeKey = (commandId: string, payloadHash: string): string => `${commandId}/${payloadHash}`;
const decoder = new TextDecoder();

/**
 * What the gateway hears of the topics, all partitions, without a group, from their ends on: outcomes for those who wait for one, and for
 * live feeds what has happened to their key. It stands at the ends before the gateway sends its first command, so no answer is missed.
 */
export class Hub {
  readonly #kafka: KafkaPort;
  readonly #logger: Logger;
  readonly #waiting = new Map<string, Set<(outcome: Outcome) => void>>();
  readonly #listeners = new Map<string, Set<Listener>>();
  #fetcher: Fetcher | null = null;

  constructor(kafka: KafkaPort, logger: Logger) {
    this.#kafka = kafka;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    const heard = [topics.commandOutcomes, topics.ordersEvents, topics.ordersView, topics.notificationsEvents];
    const counts = await this.#kafka.partitionCounts(heard.map(({ name }) => name));
    const partitions = [...counts].flatMap(([topic, count]) =>
      Array.from({ length: count }, (_, partition) => ({ topic, partition })),
    );
    const ends = await this.#kafka.endOffsets(partitions);
    this.#fetcher = this.#kafka.fetcher({
      isolation: 'read_committed',
      onBatch: (batch) => void this.#hear(batch), // it handles its own errors
      onOutOfRange: (partition, _position, logStartOffset) => this.#fetcher?.assign(partition, logStartOffset),
      onError: (error) => this.#logger.warn('hub-fetch-failed', error.message, { error }),
    });
    for (const partition of partitions) this.#fetcher.assign(partition, ends.get(partitionName(partition)) ?? 0);
  }

  async #hear({ topic, records }: FetchedBatch): Promise<void> {
    for (const { key, value } of records) {
      if (key === null || value === null) continue;
      if (topic !== topics.commandOutcomes.name) {
        for (const listener of this.#listeners.get(`${topic}/${decoder.decode(key)}`) ?? []) await listener(value);
        continue;
      }
      const outcome = await this.#read(topics.commandOutcomes, value);
      if (outcome === null) continue;
      for (const resolve of this.#waiting.get(outcomeKey(outcome.commandId, outcome.payloadHash)) ?? [])
        resolve(outcome);
    }
  }

  /** Null, and a line in the log, when it cannot be read. */
  async #read<V>({ name, valueSerde }: Topic<V>, value: Uint8Array): Promise<V | null> {
    try {
      await valueSerde.prepare?.(name, value);
      return valueSerde.deserialize(name, value);
    } catch (error) {
      const fault = error instanceof Error ? error : new Error(String(error));
      this.#logger.warn('record-unreadable', `${name}: ${fault.message}`, { error: fault });
      return null;
    }
  }

  /** The outcome of a command that is about to be sent; null when none has come within `withinMs`. Call it before sending. */
  outcome(commandId: string, payloadHash: string, withinMs: number): Promise<Outcome | null> {
    const key = outcomeKey(commandId, payloadHash);
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting);
      const done = (outcome: Outcome | null): void => {
        clearTimeout(timer);
        waiting.delete(done);
        if (waiting.size === 0) this.#waiting.delete(key);
        resolve(outcome);
      };
      const timer = setTimeout(() => done(null), withinMs);
      waiting.add(done);
    });
  }

  /** Calls `listener` for every record of a key; with null for one that cannot be read. @returns what ends it */
  listen<V>(topic: Topic<V>, key: string, listener: (event: V | null) => void): () => void {
    const place = `${topic.name}/${key}`;
    const read: Listener = async (value) => listener(await this.#read(topic, value));
    const listeners = this.#listeners.get(place) ?? new Set();
    this.#listeners.set(place, listeners);
    listeners.add(read);
    return () => {
      listeners.delete(read);
      if (listeners.size === 0) this.#listeners.delete(place);
    };
  }

  async close(): Promise<void> {
    await this.#fetcher?.close();
  }
}
