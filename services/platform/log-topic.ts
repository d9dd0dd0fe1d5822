import { topics } from '@bookstream/schemas/topics';
import type { LogRecorded } from '@bookstream/schemas/types/logs';
import { Kafka, logLevel, type Producer } from 'kafkajs';

const capacity = 2_000;
const flushEveryMs = 200;
const retryAfterMs = 2_000;

/**
 * Carries log records to the topic `logs` beside whatever the process does. Lossy on purpose: a full buffer drops its oldest records and
 * tells how many, so that logging never waits, never grows and never fails its caller. It logs nothing itself, so it cannot recurse.
 */
export class LogTopic {
  readonly #waiting: LogRecorded[] = [];
  #dropped = 0;
  #flushing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  readonly #send: (records: readonly LogRecorded[]) => Promise<void>;
  readonly #close: () => Promise<void>;
  #closed = false;

  constructor(send: (records: readonly LogRecorded[]) => Promise<void>, close: () => Promise<void> = async () => {}) {
    this.#send = send;
    this.#close = close;
  }

  /** Connects at the first record. Schemas must be connected by then. */
  static toKafka(kafkaUrl: string, clientId: string): LogTopic {
    let connecting: Promise<Producer> | null = null;
    const connect = async (): Promise<Producer> => {
      const producer = new Kafka({
        clientId: `${clientId}-logs`,
        brokers: kafkaUrl.split(','),
        logLevel: logLevel.NOTHING,
        retry: { retries: 1 },
      }).producer();
      await producer.connect();
      return producer;
    };
    const { name, keySerde, valueSerde } = topics.logs;
    return new LogTopic(
      async (records) => {
        connecting ??= connect();
        const producer = await connecting.catch((error: unknown) => {
          connecting = null;
          throw error;
        });
        const messages = records.map((record) => ({
          key: Buffer.from(keySerde.serialize(name, record.orderId ?? record.service)),
          value: Buffer.from(valueSerde.serialize(name, record)),
          timestamp: String(record.time),
        }));
        await producer.send({ topic: name, acks: -1, messages });
      },
      async () => (await connecting)?.disconnect(),
    );
  }

  /** Records waiting to be sent. */
  get waiting(): number {
    return this.#waiting.length;
  }

  readonly offer = (record: LogRecorded): void => {
    if (this.#closed) return;
    this.#waiting.push(record);
    if (this.#waiting.length > capacity) {
      this.#waiting.shift();
      this.#dropped += 1;
    }
    this.#schedule(flushEveryMs);
  };

  #schedule(ms: number): void {
    if (this.#timer !== null || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#flushing = this.#flush();
    }, ms);
    this.#timer.unref();
  }

  async #flush(): Promise<void> {
    const batch = this.#waiting.splice(0);
    if (batch.length === 0) return;
    const last = batch.at(-1);
    if (this.#dropped > 0 && last !== undefined) {
      batch.push({
        ...last,
        level: 'warn',
        traceId: null,
        orderId: null,
        event: 'log-records-dropped',
        message: `${this.#dropped} log records were dropped: the topic was away or too slow`,
        fields: { dropped: String(this.#dropped) },
      });
      this.#dropped = 0;
    }
    try {
      await this.#send(batch);
    } catch {
      // Standard output has them. Keep as many as fit for when the broker is back.
      const fit = capacity - this.#waiting.length;
      this.#dropped += Math.max(0, batch.length - fit);
      this.#waiting.unshift(...(fit > 0 ? batch.slice(-fit) : []));
      this.#schedule(retryAfterMs);
    }
  }

  /** Sends what waits, once, and lets go. Never rejects. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#flushing;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#closed = true;
    await this.#flush();
    await this.#close().catch(() => undefined); // the broker is away: nothing is left to do
  }
}
