import { CorruptBatchError } from '../kafka/errors.ts';
import type { FetchedBatch, Fetcher, FetcherOptions, KafkaPort, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import { BufferedBytes } from './buffered-bytes.ts';
import { Holds } from './holds.ts';
import { Inlet, type Taker } from './inlet.ts';
import { type Log, messageOf } from './log.ts';
import { howToPass } from './unreadable-input.ts';

export interface TaskFeedOptions {
  readonly applicationId: string;
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

/** What the feed asks of a `StreamTask`. */
export interface FedTask extends Taker {
  readonly inputs: readonly TopicPartition[];
  /** Records that wait. */
  buffered(input: TopicPartition): number;
}

/** Fetching of an input stops above one of the first two and goes on when it is below both of the others. */
const bufferHigh = 10_000;
/** Of all inputs of a task together, each having an equal part: an empty one must never be stopped by a full one that waits for it. */
const bufferHighBytes = 16 << 20;
const bufferLow = 2_000;
const bufferLowBytes = bufferHighBytes / 4;

/** Fetches the inputs of tasks into their buffers, and not much more than these should hold. */
export class TaskFeed {
  readonly #options: TaskFeedOptions;
  readonly #taskOf = new Map<string, FedTask>();
  readonly #bytes = new BufferedBytes();
  /** Records behind what was fetched last, by partition. */
  readonly #behind = new Map<string, number>();
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
      onError: (error) => log('warn', 'fetch-failed', this.#textOf(error), { error }),
    });
  }

  #textOf(error: Error): string {
    if (!(error instanceof CorruptBatchError) || error.at === null) return messageOf(error);
    const { at } = error;
    const stands = `${partitionName(at)} stands still in front of it, and all else goes on`;
    return `${error.message}; ${stands}. ${howToPass(this.#options.applicationId, at, at.nextOffset)}`;
  }

  /** From `offset` on the records of `input` go to `task`. */
  read(input: TopicPartition, offset: number, task: FedTask): void {
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
    this.#bytes.forget(input);
    this.#taskOf.delete(partitionName(input));
    this.#behind.delete(partitionName(input));
  }

  /** Records of an input that its task has not taken, by the last answer of the broker; null before the first. */
  lag(input: TopicPartition): number | null {
    const name = partitionName(input);
    const behind = this.#behind.get(name);
    return behind === undefined ? null : behind + (this.#taskOf.get(name)?.buffered(input) ?? 0);
  }

  #batch(batch: FetchedBatch): void {
    const task = this.#taskOf.get(partitionName(batch));
    if (task === undefined || this.#options.ending.aborted) return;
    const end = this.#options.isolation === 'read_committed' ? batch.lastStableOffset : batch.highWatermark;
    this.#behind.set(partitionName(batch), Math.max(0, end - batch.nextOffset));
    try {
      this.#inlet.give(batch, task);
    } catch (error) {
      this.#options.onFailed(error);
    }
  }

  #took(batch: FetchedBatch): void {
    const task = this.#taskOf.get(partitionName(batch));
    if (task === undefined) return;
    this.#bytes.add(batch);
    if (task.buffered(batch) > bufferHigh || this.#partOfBytes(batch, task) > bufferHighBytes)
      this.#holds.hold(batch, 'full');
    this.#options.onTaken();
  }

  /** Fetches again what was full and has room now. */
  resumeDrained(): void {
    for (const partition of this.#holds.heldFor('full')) {
      const task = this.#taskOf.get(partitionName(partition));
      const isLow =
        task === undefined ||
        (task.buffered(partition) <= bufferLow && this.#partOfBytes(partition, task) <= bufferLowBytes);
      if (isLow) this.#holds.release(partition, 'full');
    }
  }

  /** What the bytes of an input would be if all inputs of its task had as many. */
  #partOfBytes(partition: TopicPartition, task: FedTask): number {
    return this.#bytes.of(partition, task.buffered(partition)) * task.inputs.length;
  }

  async close(): Promise<void> {
    this.#inlet.close();
    await this.#fetcher?.close();
  }
}
