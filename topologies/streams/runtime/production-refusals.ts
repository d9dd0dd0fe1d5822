import { ProductionError } from '../errors.ts';
import type { ProduceRefusalError } from '../kafka/errors.ts';
import { soleBatchSize } from '../kafka/record-batch.ts';

/** What was refused is tried again after a minute: the topic may have been opened to it meanwhile. */
const askAgainMs = 60_000;
/** 17 the name is not allowed, 29 we may not write there. */
const topicCodes: readonly number[] = [17, 29];
/** Larger than max.message.bytes, or than a segment. */
const tooLargeCodes: readonly number[] = [10, 18];
const invalidTimestamp = 32;
/** Among other things a record without a key for a compacted topic. */
const invalidRecord = 87;

/** What a topic does not take. */
interface Refused {
  readonly error: Error;
  readonly untilMs: number;
  /** Whatever it is. */
  readonly all: boolean;
  /** A record that is a batch of so many bytes, and any larger one. */
  readonly bytes: number;
  /** Epoch ms: times from the first on, and those up to the second. */
  readonly ahead: number;
  readonly old: number;
  readonly keyless: boolean;
}

const nothing: Omit<Refused, 'error' | 'untilMs'> = {
  all: false,
  bytes: Number.POSITIVE_INFINITY,
  ahead: Number.POSITIVE_INFINITY,
  old: Number.NEGATIVE_INFINITY,
  keyless: false,
};

/** Beyond what a date can say it is the number. */
export const written = (timestamp: number): string =>
  Math.abs(timestamp) <= 8.64e15 ? new Date(timestamp).toISOString() : String(timestamp);

/**
 * What brokers have refused though nothing was known against it: where the settings of a topic cannot be read, or have changed since. Each such
 * refusal has cost a run; the like of it is known before it is sent, for a minute.
 */
export class ProductionRefusals {
  readonly #byTopic = new Map<string, Refused>();

  get isEmpty(): boolean {
    return this.#byTopic.size === 0;
  }

  /**
   * @param error names the records that are at fault, as far as the broker does
   * @param asksHandler false: nobody would be asked about a topic that refuses us, so the broker is asked each time
   */
  learn(error: ProduceRefusalError, asksHandler: boolean): void {
    const before = this.#of(error.topic) ?? nothing;
    const more = whatIsNew(error, before, asksHandler);
    if (more !== null) this.#byTopic.set(error.topic, { ...before, ...more, error, untilMs: Date.now() + askAgainMs });
  }

  #of(topic: string): Refused | null {
    const refused = this.#byTopic.get(topic);
    if (refused === undefined) return null;
    if (Date.now() < refused.untilMs) return refused;
    this.#byTopic.delete(topic);
    return null;
  }

  /** Less than the smallest batch of one that was refused; Infinity where none was. */
  maxBytesOf(topic: string): number {
    return (this.#of(topic)?.bytes ?? Number.POSITIVE_INFINITY) - 1;
  }

  takesTime(topic: string, timestamp: number): boolean {
    const refused = this.#of(topic);
    return refused === null || (timestamp < refused.ahead && timestamp > refused.old);
  }

  /** @param size of a batch with this record alone */
  refusalOf(topic: string, size: number, timestamp: number, key: Uint8Array | null): ProductionError | null {
    const refused = this.#of(topic);
    if (refused === null) return null;
    const what = whatIsRefused(refused, size, timestamp, key);
    if (what === null) return null;
    const { error } = refused;
    return new ProductionError(topic, `${topic} does not take ${what}: ${error.message}`, { cause: error });
  }
}

function whatIsNew(
  { errorCode, records }: ProduceRefusalError,
  { bytes, ahead, old }: Omit<Refused, 'error' | 'untilMs'>,
  asksHandler: boolean,
): Partial<Refused> | null {
  if (topicCodes.includes(errorCode)) return asksHandler ? { all: true } : null;
  if (records.length === 0) return null;
  if (tooLargeCodes.includes(errorCode))
    return { bytes: Math.min(bytes, ...records.map(({ key, value, headers }) => soleBatchSize(key, value, headers))) };
  if (errorCode === invalidTimestamp) {
    // The time itself, not its distance: the clock would bring a record that is ahead below the distance before it is sent again.
    const now = Date.now();
    const times = records.map(({ timestamp }) => timestamp);
    return {
      ahead: Math.min(ahead, ...times.filter((time) => time > now)),
      old: Math.max(old, ...times.filter((time) => time <= now)),
    };
  }
  return errorCode === invalidRecord && records.some(({ key }) => key === null) ? { keyless: true } : null;
}

function whatIsRefused(refused: Refused, size: number, timestamp: number, key: Uint8Array | null): string | null {
  if (refused.all) return 'it';
  if (size >= refused.bytes) return `a record of ${size} bytes`;
  if (timestamp >= refused.ahead || timestamp <= refused.old) return `a record of ${written(timestamp)}`;
  return refused.keyless && key === null ? 'a record without a key' : null;
}
