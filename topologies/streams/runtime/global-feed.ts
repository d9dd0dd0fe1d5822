import type { Fetcher, KafkaPort, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { GlobalTables } from './global-tables.ts';
import { Holds } from './holds.ts';
import { Inlet } from './inlet.ts';
import { type Log, messageOf } from './log.ts';
import { type RestoreStep, restoreGlobals } from './restore.ts';

export interface GlobalFeedOptions {
  readonly kafka: KafkaPort;
  readonly tables: GlobalTables;
  readonly partitionsOf: (topic: string) => number;
  readonly log: Log;
  /** A partition waits for a schema that cannot be asked for now. */
  readonly onWaiting: (partition: TopicPartition, error: unknown) => void;
  readonly onFailed: (error: unknown) => void;
  readonly onStep: (step: RestoreStep) => void;
}

/** Reads every partition of the global tables' topics, first to their ends, then on; what cannot be read goes to the dead-letter topics. */
export class GlobalFeed {
  readonly #options: GlobalFeedOptions;
  #fetcher: Fetcher | null = null;
  #inlet: Inlet | null = null;
  #sending: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(options: GlobalFeedOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the tables hold what their topics held at the call. From then on they follow.
   * @param ending stops the reading to the end; `close` stops the rest
   */
  async start(ending: AbortSignal): Promise<void> {
    const { kafka, tables, partitionsOf, onWaiting, onStep } = this.#options;
    await restoreGlobals(kafka, tables, partitionsOf, { signal: ending, onWaiting, onStep });
    await this.#follow();
  }

  async #follow(): Promise<void> {
    const { kafka, tables, partitionsOf, log, onWaiting, onFailed } = this.#options;
    const fetcher = kafka.fetcher({
      isolation: 'read_committed',
      onBatch: (batch) => {
        try {
          inlet.give(batch, tables);
        } catch (error) {
          onFailed(error);
        }
      },
      // The next run reads the table anew: rows that were deleted in what is gone would stay for ever.
      onOutOfRange: (partition, position) =>
        onFailed(new Error(`${partitionName(partition)} has nothing at ${position} any more`)),
      onError: (error) => log('warn', 'fetch-failed', messageOf(error), { error }),
    });
    const inlet = new Inlet({
      holds: new Holds(() => fetcher),
      onTaken: () => void this.#sendDeadLetters(), // it handles its own errors
      onWaiting,
      onFailed,
    });
    this.#inlet = inlet;
    this.#fetcher = fetcher;
    await this.#sendDeadLetters();
    for (const { topic } of tables.inputs) {
      for (let partition = 0; partition < partitionsOf(topic); partition += 1) {
        const input = { topic, partition };
        fetcher.assign(input, tables.position(input));
      }
    }
  }

  /** One after another: what a position has passed must have been sent. */
  #sendDeadLetters(): Promise<void> {
    this.#sending = this.#sending.then(() => this.#sendNow());
    return this.#sending;
  }

  async #sendNow(): Promise<void> {
    const { kafka, tables, onFailed } = this.#options;
    if (this.#failed) return;
    const { letters, sent } = tables.takeDeadLetters();
    if (letters.length === 0) return;
    try {
      const producer = await kafka.producer();
      await producer.send(letters).finally(() => producer.close());
      sent();
    } catch (error) {
      this.#failed = true; // later letters of the same partition would take the position past these
      onFailed(error);
    }
  }

  /** The storage of the tables stays open: it is the owner's. */
  async close(): Promise<void> {
    this.#inlet?.close();
    await this.#fetcher?.close();
    await this.#sending; // the storage is closed next
  }
}
