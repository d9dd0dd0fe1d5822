import type { FetchedBatch, Fetcher, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';

/** What takes fetched records: a task, or the global tables. */
export interface Taker {
  prepare(batch: FetchedBatch): Promise<void> | undefined;
  addRecords(batch: FetchedBatch): void;
}

const askAgainMs = 500;

/**
 * Lets batches through in order per partition, each when its schemas are known. While the registry is away a partition waits, others go on;
 * what had arrived meanwhile is kept in order.
 */
export class Inlet {
  readonly #fetcher: () => Fetcher;
  readonly #taken: (partition: TopicPartition) => void;
  readonly #waiting = new Map<string, FetchedBatch[]>();
  readonly #onWaiting: (partition: TopicPartition, error: unknown) => void;
  #closed = false;

  constructor(
    fetcher: () => Fetcher,
    taken: (partition: TopicPartition) => void,
    onWaiting: (partition: TopicPartition, error: unknown) => void,
  ) {
    this.#fetcher = fetcher;
    this.#taken = taken;
    this.#onWaiting = onWaiting;
  }

  give(batch: FetchedBatch, taker: Taker): void {
    const name = partitionName(batch);
    const queue = this.#waiting.get(name);
    if (queue !== undefined) {
      queue.push(batch);
      return;
    }
    const wait = taker.prepare(batch);
    if (wait === undefined) {
      taker.addRecords(batch);
      this.#taken(batch);
      return;
    }
    this.#waiting.set(name, [batch]);
    this.#fetcher().pause(batch);
    void this.#drain(name, wait, taker); // it handles its own errors
  }

  /** Partitions that wait for a schema. */
  get waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  async #drain(name: string, first: Promise<void>, taker: Taker): Promise<void> {
    let wait: Promise<void> | undefined = first;
    const queue = this.#waiting.get(name) ?? [];
    for (let batch = queue[0]; batch !== undefined && !this.#closed; ) {
      try {
        await wait;
      } catch (error) {
        this.#onWaiting(batch, error);
        await new Promise((resolve) => setTimeout(resolve, askAgainMs));
        wait = taker.prepare(batch);
        continue;
      }
      if (this.#closed) return;
      taker.addRecords(batch);
      this.#taken(batch);
      queue.shift();
      batch = queue[0];
      if (batch !== undefined) wait = taker.prepare(batch);
      else {
        const last = name;
        this.#waiting.delete(last);
      }
    }
    if (this.#closed) return;
    const dash = name.lastIndexOf('-');
    this.#fetcher().resume({ topic: name.slice(0, dash), partition: Number(name.slice(dash + 1)) });
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
  }
}
