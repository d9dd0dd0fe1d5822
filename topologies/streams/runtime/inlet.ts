import { setTimeout as sleep } from 'node:timers/promises';
import type { FetchedBatch, TopicPartition } from '../kafka/port.ts';
import { partitionName } from '../kafka/port.ts';
import type { Holds } from './holds.ts';
import { prepareReadable } from './unreadable-input.ts';

/** What takes fetched records: a task, or the global tables. */
export interface Taker {
  prepare(batch: FetchedBatch): Promise<void> | undefined;
  addRecords(batch: FetchedBatch): void;
}

export interface InletOptions {
  readonly holds: Holds;
  /** A batch has been handed to its taker. */
  readonly onTaken: (batch: FetchedBatch) => void;
  /** A schema could not be asked for; it is asked for again. */
  readonly onWaiting: (partition: TopicPartition, error: unknown) => void;
  /** The taker failed with a batch that had waited. With one that had not, `give` throws. */
  readonly onFailed: (error: unknown) => void;
}

const askAgainMs = 500;

/**
 * Lets batches through in order per partition, each when its schemas are known. While the registry is away a partition waits, others go on;
 * what had arrived meanwhile is kept in order.
 */
export class Inlet {
  readonly #options: InletOptions;
  readonly #waiting = new Map<string, FetchedBatch[]>();

  constructor(options: InletOptions) {
    this.#options = options;
  }

  give(batch: FetchedBatch, taker: Taker): void {
    const name = partitionName(batch);
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) {
      waiting.push(batch);
      return;
    }
    const wait = prepareReadable(batch, (one) => taker.prepare(one));
    if (wait === undefined) {
      taker.addRecords(batch);
      this.#options.onTaken(batch);
      return;
    }
    const queue = [batch];
    this.#waiting.set(name, queue);
    this.#options.holds.hold(batch, 'schema');
    this.#drain(name, queue, wait, taker).catch(this.#options.onFailed);
  }

  /** What waits of a partition is never handed on: its taker has lost it, and the next owner is fetched for anew. */
  forget(partition: TopicPartition): void {
    this.#waiting.delete(partitionName(partition));
  }

  async #drain(name: string, queue: FetchedBatch[], first: Promise<void>, taker: Taker): Promise<void> {
    // Another queue, or none, under this name: the partition has moved or all is closed, and the taker may be gone.
    const isOver = (): boolean => this.#waiting.get(name) !== queue;
    let wait: Promise<void> | undefined = first;
    for (let batch = queue[0]; batch !== undefined; ) {
      try {
        await wait;
      } catch (error) {
        if (isOver()) return;
        this.#options.onWaiting(batch, error);
        await sleep(askAgainMs, undefined, { ref: false });
        if (isOver()) return;
        wait = prepareReadable(batch, (one) => taker.prepare(one));
        continue;
      }
      if (isOver()) return;
      taker.addRecords(batch);
      queue.shift();
      const taken = batch;
      batch = queue[0];
      if (batch !== undefined) wait = prepareReadable(batch, (one) => taker.prepare(one));
      else {
        this.#waiting.delete(name);
        this.#options.holds.release(taken, 'schema');
      }
      this.#options.onTaken(taken);
    }
  }

  close(): void {
    this.#waiting.clear();
  }
}
