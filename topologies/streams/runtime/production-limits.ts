import { ProductionError } from '../errors.ts';
import { BrokerRefusalError } from '../kafka/errors.ts';
import type { Header, KafkaPort } from '../kafka/port.ts';
import { soleBatchSize } from '../kafka/record-batch.ts';
import type { Log } from './log.ts';

/** A topic that has refused us may have been opened to us meanwhile. */
const askAgainMs = 60_000;
/** More than a batch adds to key and value of a record without headers. */
const overheadBytes = 100;

/**
 * What the topics of an application do not take, known before anything is sent: so a record that cannot be sent costs neither the transaction
 * nor the work beside it. What is found out only from a broker's refusal costs the run, and is known in the next one.
 */
export class ProductionLimits {
  #maxBytes = new Map<string, number>();
  #compacted = new Set<string>();
  #smallest = Number.POSITIVE_INFINITY;
  readonly #refused = new Map<string, { readonly error: Error; readonly untilMs: number }>();

  /** Asks for the topics' settings anew. Where that is not allowed, the broker's refusal is all there is. */
  async load(topics: readonly string[], kafka: Pick<KafkaPort, 'topicConfigs'>, log: Log): Promise<void> {
    try {
      this.take(await kafka.topicConfigs(topics));
    } catch (error) {
      if (!(error instanceof BrokerRefusalError)) throw error;
      const text = `the topics' settings cannot be read, so a record too large stops the application. Allow DescribeConfigs: ${error.message}`;
      log('warn', 'limits-unknown', text, { error });
    }
  }

  take(configs: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    this.#maxBytes = new Map();
    this.#compacted = new Set();
    for (const [topic, config] of configs) {
      const maxBytes = config.get('max.message.bytes');
      if (maxBytes !== undefined) this.#maxBytes.set(topic, Number(maxBytes));
      if (config.get('cleanup.policy')?.includes('compact')) this.#compacted.add(topic);
    }
    this.#smallest = Math.min(Number.POSITIVE_INFINITY, ...this.#maxBytes.values());
  }

  /** A broker has refused what was sent to this topic, whatever it was. */
  refuse(topic: string, error: Error): void {
    this.#refused.set(topic, { error, untilMs: Date.now() + askAgainMs });
  }

  /** `max.message.bytes`; Infinity where it is not known. */
  maxBytesOf(topic: string): number {
    return this.#maxBytes.get(topic) ?? Number.POSITIVE_INFINITY;
  }

  /** Null: nothing is known against it. */
  refusalOf(
    topic: string,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly Header[],
  ): ProductionError | null {
    if (key !== null && headers.length === 0 && this.#refused.size === 0) {
      const length = key.length + (value?.length ?? 0);
      if (length + overheadBytes <= this.#smallest) return null;
    }
    const refused = this.#refused.get(topic);
    if (refused !== undefined) {
      if (Date.now() < refused.untilMs)
        return new ProductionError(topic, `${topic} does not take it: ${refused.error.message}`, {
          cause: refused.error,
        });
      this.#refused.delete(topic);
    }
    if (key === null && this.#compacted.has(topic))
      return new ProductionError(topic, `${topic} is compacted, and the record has no key. Give it one.`);
    const maxBytes = this.maxBytesOf(topic);
    const size = soleBatchSize(key, value, headers);
    if (size <= maxBytes) return null;
    const text = `a record of ${size} bytes is too large for ${topic}, which takes ${maxBytes}`;
    return new ProductionError(topic, `${text}. Raise max.message.bytes of the topic, or make the record smaller.`);
  }
}
