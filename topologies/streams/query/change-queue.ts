/** Something could not be told: look at the store anew. */
export interface ChangeGap {
  readonly type: 'gap';
  /** Changes that had no room, because they were not taken in time; null: a task of the store has begun here, and nobody counted. */
  readonly missed: number | null;
  /** Partition of the store; null where it may be any. */
  readonly partition: number | null;
}

/** Holds what one reader has not taken, and no more than `most` of it: a reader who is slow loses changes, and is told where and how many. */
export class ChangeQueue<T> {
  readonly #most: number;
  #items: (T | ChangeGap)[] = [];
  #head = 0;
  #missed = 0;
  #closed = false;
  #waiting: ((taken: T | ChangeGap | null) => void) | null = null;

  constructor(most: number) {
    this.#most = most;
  }

  push(item: T | ChangeGap): void {
    if (this.#closed) return;
    const waiting = this.#waiting;
    if (waiting !== null) {
      this.#waiting = null;
      waiting(item);
      return;
    }
    if (this.#items.length - this.#head >= this.#most) {
      this.#missed += 1;
      return;
    }
    if (this.#missed > 0) this.#items.push(this.#takeGap());
    this.#items.push(item);
  }

  /** Resolves when there is something; with null after `close`. One call at a time. */
  take(): Promise<T | ChangeGap | null> {
    const item = this.#items[this.#head];
    if (item !== undefined) {
      this.#head += 1;
      if (this.#head === this.#items.length || this.#head > 1_024) {
        this.#items = this.#items.slice(this.#head);
        this.#head = 0;
      }
      return Promise.resolve(item);
    }
    if (this.#missed > 0) return Promise.resolve(this.#takeGap());
    if (this.#closed) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** As `take`, with what else is there already. */
  async takeMany(atMost: number): Promise<readonly (T | ChangeGap)[] | null> {
    const first = await this.take();
    if (first === null) return null;
    const taken = [first];
    while (taken.length < atMost && (this.#items.length > this.#head || this.#missed > 0)) {
      const next = await this.take();
      if (next !== null) taken.push(next);
    }
    return taken;
  }

  #takeGap(): ChangeGap {
    const missed = this.#missed;
    this.#missed = 0;
    return { type: 'gap', missed, partition: null };
  }

  /** What is in it can still be taken. */
  close(): void {
    this.#closed = true;
    this.#waiting?.(null);
    this.#waiting = null;
  }
}
