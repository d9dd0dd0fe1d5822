import type { FetchedBatch, Fetcher, FetcherOptions, KafkaPort, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { Holds } from './holds.ts';
import { Inlet } from './inlet.ts';
import { type Log, messageOf } from './log.ts';
import type { StreamTask } from './stream-task.ts';

export interface TaskFeedOptions {
  readonly kafka: Pick<KafkaPort, 'fetcher'>;
  readonly isolation: FetcherOptions['isolation'];
  readonly log: Log;
  /** What is fetched after it is given to nobody. */
  readonly ending: AbortSignal;
  /** A task has got records. */
  readonly onTaken: () => void;
  /** A partition waits for a schema that cannot be asked for now. */
  readonly onWaiting: (partition: TopicPartition, error: unknown) => void;
  readonly onFailed: (error: unknown) => void;
}

/** Fetching of an input stops above the first and goes on below the second. */
const bufferHigh = 10_000;
const bufferLow = 2_000;

/** Fetches the inputs of tasks into their buffers, and not much more than these should hold. */
export class TaskFeed {
  readonly #options: TaskFeedOptions;
  readonly #taskOf = new Map<string, StreamTask>();
  readonly #holds: Holds;
  readonly #inlet: Inlet;
  #fetcher: Fetcher | null = null;
  #paused = false;

  constructor(options: TaskFeedOptions) {
    this.#options = options;
    this.#holds = new Holds(() => this.#fetcher as Fetcher); // batches come from it
    this.#inlet = new Inlet({
      holds: this.#holds,
      onTaken: (batch) => this.#took(batch),
      onWaiting: options.onWaiting,
      onFailed: options.onFailed,
    });
  }

  /** Before the first `read`. */
  open(): void {
    const { kafka, isolation, log } = this.#options;
    this.#fetcher = kafka.fetcher({
      isolation,
      onBatch: (batch) => this.#batch(batch),
      onOutOfRange: (partition, position, logStartOffset) => {
        const text = `${partitionName(partition)} has nothing at ${position} any more: reading on at ${logStartOffset}`;
        log('warn', 'offset-out-of-range', text);
        this.#fetcher?.assign(partition, logStartOffset);
        this.#holds.renew(partition);
      },
      onError: (error) => log('warn', 'fetch-failed', messageOf(error), { error }),
    });
  }

  /** From `offset` on the records of `input` go to `task`. */
  read(input: TopicPartition, offset: number, task: StreamTask): void {
    this.#taskOf.set(partitionName(input), task);
    this.#fetcher?.assign(input, offset);
    if (this.#paused) this.#holds.hold(input, 'paused');
  }

  /** Fetches nothing until `resume`; what was fetched stays in the buffers. */
  pause(): void {
    this.#paused = true;
    for (const input of this.#inputs()) this.#holds.hold(input, 'paused');
  }

  resume(): void {
    this.#paused = false;
    for (const input of this.#inputs()) this.#holds.release(input, 'paused');
  }

  #inputs(): readonly TopicPartition[] {
    return [...new Set(this.#taskOf.values())].flatMap((task) => task.inputs);
  }

  /** Nothing of `input` goes to its task any more, also not what waits for a schema. */
  forget(input: TopicPartition): void {
    this.#fetcher?.unassign(input);
    this.#inlet.forget(input);
    this.#holds.forget(input);
    this.#taskOf.delete(partitionName(input));
  }

  #batch(batch: FetchedBatch): void {
    const task = this.#taskOf.get(partitionName(batch));
    if (task === undefined || this.#options.ending.aborted) return;
    try {
      this.#inlet.give(batch, task);
    } catch (error) {
      this.#options.onFailed(error);
    }
  }

  #took(partition: TopicPartition): void {
    const task = this.#taskOf.get(partitionName(partition));
    if (task === undefined) return;
    if (task.buffered(partition) > bufferHigh) this.#holds.hold(partition, 'full');
    this.#options.onTaken();
  }

  /** Fetches again what was full and has room now. */
  resumeDrained(): void {
    for (const partition of this.#holds.heldFor('full')) {
      const task = this.#taskOf.get(partitionName(partition));
      if (task === undefined || task.buffered(partition) <= bufferLow) this.#holds.release(partition, 'full');
    }
  }

  async close(): Promise<void> {
    this.#inlet.close();
    await this.#fetcher?.close();
  }
}
