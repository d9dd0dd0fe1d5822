import { ProductionError } from '../errors.ts';
import { BrokerRefusalError, type ProduceRefusalError } from '../kafka/errors.ts';
import type { Header, KafkaPort } from '../kafka/port.ts';
import { soleBatchSize } from '../kafka/record-batch.ts';
import type { Log } from './log.ts';
import { ProductionRefusals, written } from './production-refusals.ts';

/** More than a batch adds to key and value of a record without headers. */
const overheadBytes = 100;

/** Which times a topic takes, ms from the clock (`message.timestamp.before.max.ms` and `after.max.ms`, KIP-937). */
interface Times {
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** Kafka says the largest of int64 where there is no bound. */
const boundOf = (value: string | undefined): number =>
  value === undefined || Number(value) > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : Number(value);

const timesOf = (config: ReadonlyMap<string, string>): Times => {
  if (config.get('message.timestamp.type') === 'LogAppendTime') return anyTime; // the broker gives its own
  const both = config.get('message.timestamp.difference.max.ms'); // all that brokers before 3.6 have
  return {
    beforeMs: boundOf(config.get('message.timestamp.before.max.ms') ?? both),
    afterMs: boundOf(config.get('message.timestamp.after.max.ms') ?? both),
  };
};

const anyTime: Times = { beforeMs: Number.POSITIVE_INFINITY, afterMs: Number.POSITIVE_INFINITY };

/**
 * What the topics of an application do not take, known before anything is sent: so a record that cannot be sent costs neither the transaction
 * nor the work beside it. What is found out only from a broker's refusal costs the run, and is known in the next one.
 */
export class ProductionLimits {
  #maxBytes = new Map<string, number>();
  #compacted = new Set<string>();
  #smallest = Number.POSITIVE_INFINITY;
  #times = new Map<string, Times>();
  /** Of all topics. */
  #narrowest = anyTime;
  /** No topic finds a time up to here too far ahead, now or later. */
  #notAhead = Number.NEGATIVE_INFINITY;
  readonly #refused = new ProductionRefusals();

  /** Asks for the topics' settings anew. Where that is not allowed, a broker's refusals are all there is. */
  async load(topics: readonly string[], kafka: Pick<KafkaPort, 'topicConfigs'>, log: Log): Promise<void> {
    try {
      this.take(await kafka.topicConfigs(topics));
    } catch (error) {
      if (!(error instanceof BrokerRefusalError)) throw error;
      await this.#loadEach(topics, kafka, log);
    }
  }

  /** One topic that is refused must not hide the others. */
  async #loadEach(topics: readonly string[], kafka: Pick<KafkaPort, 'topicConfigs'>, log: Log): Promise<void> {
    const known = new Map<string, ReadonlyMap<string, string>>();
    const unknown: string[] = [];
    let refusal: BrokerRefusalError | null = null;
    for (const topic of topics) {
      try {
        for (const [name, config] of await kafka.topicConfigs([topic])) known.set(name, config);
      } catch (error) {
        if (!(error instanceof BrokerRefusalError)) throw error;
        unknown.push(topic);
        refusal = error;
      }
    }
    this.take(known);
    if (refusal === null) return;
    const text = `the settings of ${unknown.join(', ')} cannot be read, so what a broker refuses there for its size or time costs a run before its handler is asked. Allow DescribeConfigs: ${refusal.message}`;
    log('warn', 'limits-unknown', text, { error: refusal, topics: unknown });
  }

  take(configs: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    this.#maxBytes = new Map();
    this.#compacted = new Set();
    this.#times = new Map();
    for (const [topic, config] of configs) {
      const maxBytes = config.get('max.message.bytes');
      if (maxBytes !== undefined) this.#maxBytes.set(topic, Number(maxBytes));
      this.#times.set(topic, timesOf(config));
      if (config.get('cleanup.policy')?.includes('compact')) this.#compacted.add(topic);
    }
    this.#smallest = Math.min(Number.POSITIVE_INFINITY, ...this.#maxBytes.values());
    const times = [anyTime, ...this.#times.values()];
    this.#narrowest = {
      beforeMs: Math.min(...times.map(({ beforeMs }) => beforeMs)),
      afterMs: Math.min(...times.map(({ afterMs }) => afterMs)),
    };
    this.#notAhead = Date.now() + this.#narrowest.afterMs;
  }

  /** See `ProductionRefusals`. */
  learn(error: ProduceRefusalError, asksHandler: boolean): void {
    this.#refused.learn(error, asksHandler);
  }

  /** What a batch may have: `max.message.bytes`, or less than what a broker has refused; Infinity where neither is known. */
  maxBytesOf(topic: string): number {
    return Math.min(this.#maxBytes.get(topic) ?? Number.POSITIVE_INFINITY, this.#refused.maxBytesOf(topic));
  }

  /** False: its broker would refuse a record of this time. */
  takesTime(topic: string, timestamp: number): boolean {
    if (!this.#refused.takesTime(topic, timestamp)) return false;
    return this.#everybodyTakes(timestamp) || this.#timeRefusalOf(topic, timestamp) === null;
  }

  /** Asks the clock as seldom as it can. */
  #everybodyTakes(timestamp: number): boolean {
    const { beforeMs, afterMs } = this.#narrowest;
    if (timestamp > this.#notAhead) {
      this.#notAhead = Date.now() + afterMs;
      if (timestamp > this.#notAhead) return false;
    }
    return beforeMs === Number.POSITIVE_INFINITY || Date.now() - timestamp <= beforeMs;
  }

  #timeRefusalOf(topic: string, timestamp: number): ProductionError | null {
    const { beforeMs, afterMs } = this.#times.get(topic) ?? anyTime;
    const aheadMs = timestamp - Date.now();
    if (aheadMs <= afterMs && -aheadMs <= beforeMs) return null;
    const [is, most, setting] =
      aheadMs > 0
        ? [`${aheadMs} ms ahead of the clock`, afterMs, 'message.timestamp.after.max.ms']
        : [`${-aheadMs} ms old`, beforeMs, 'message.timestamp.before.max.ms'];
    const text = `a record of ${written(timestamp)} is ${is}, more than the ${most} ms that ${topic} takes`;
    return new ProductionError(topic, `${text}. Raise ${setting} of the topic, or give the record another time.`);
  }

  /** Null: nothing is known against it. */
  refusalOf(
    topic: string,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly Header[],
  ): ProductionError | null {
    if (key !== null && headers.length === 0 && this.#refused.isEmpty) {
      const length = key.length + (value?.length ?? 0);
      if (length + overheadBytes <= this.#smallest && this.#everybodyTakes(timestamp)) return null;
    }
    const size = soleBatchSize(key, value, headers);
    const refused = this.#refused.refusalOf(topic, size, timestamp, key);
    if (refused !== null) return refused;
    if (key === null && this.#compacted.has(topic))
      return new ProductionError(topic, `${topic} is compacted, and the record has no key. Give it one.`);
    const maxBytes = this.maxBytesOf(topic);
    if (size <= maxBytes) return this.#everybodyTakes(timestamp) ? null : this.#timeRefusalOf(topic, timestamp);
    const text = `a record of ${size} bytes is too large for ${topic}, which takes ${maxBytes}`;
    return new ProductionError(topic, `${text}. Raise max.message.bytes of the topic, or make the record smaller.`);
  }
}
