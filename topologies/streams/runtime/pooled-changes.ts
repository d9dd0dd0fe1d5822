import { type ChangeGap, ChangeQueue } from '../query/change-queue.ts';
import {
  type ChangeOptions,
  type ChangeReader,
  type StoreChange,
  type StoredChange,
  typedChanges,
  usuallyBuffered,
} from '../query/store-changes.ts';
import type { AskedThread } from './supervised-thread.ts';

let lastWatch = 0;

/** Whatever a thread has committed before it was heard, nobody counted. */
const anyPartition: ChangeGap = { type: 'gap', missed: null, partition: null };

/** Changes of one application, as its threads commit them. */
export class PooledChanges {
  readonly #applicationId: string;
  readonly #threads: readonly AskedThread[];

  constructor(applicationId: string, threads: readonly AskedThread[]) {
    this.#applicationId = applicationId;
    this.#threads = threads;
  }

  /** A gap stands where each thread, and each that replaces one, begins to tell. Ends when the pool is closed. */
  of<K, V>(
    reader: ChangeReader<K, V>,
    { maxBuffered = usuallyBuffered }: ChangeOptions = {},
  ): AsyncIterableIterator<StoreChange<K, V> | ChangeGap> {
    return typedChanges(reader, () => this.#open(reader.spec.name, maxBuffered));
  }

  #open(store: string, most: number) {
    const queue = new ChangeQueue<StoredChange>(most);
    const ending = new AbortController();
    let failure: unknown = null;
    void Promise.all(this.#threads.map((thread) => this.#follow(thread, store, most, queue, ending.signal)))
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => queue.close());
    return {
      take: async () => {
        const item = await queue.take();
        if (item === null && failure !== null) throw failure;
        return item;
      },
      end: () => {
        ending.abort();
        queue.close();
      },
    };
  }

  /** From one thread and its successors, until the pool is closed or nobody reads. Asks for the next ones when these are in the queue. */
  async #follow(
    thread: AskedThread,
    store: string,
    most: number,
    queue: ChangeQueue<StoredChange>,
    ending: AbortSignal,
  ): Promise<void> {
    while (await thread.up()) {
      if (ending.aborted) return;
      lastWatch += 1;
      const watch = lastWatch;
      await thread.ask('watch', [watch, this.#applicationId, store, most]);
      const unwatch = (): void => void thread.ask('unwatch', [watch]);
      if (ending.aborted) return unwatch();
      ending.addEventListener('abort', unwatch);
      queue.push(anyPartition);
      for (;;) {
        const changes = await thread.ask('changes', [watch]);
        if (changes === null) return;
        if (changes === undefined) break; // it has ended
        for (const change of changes) queue.push(change);
      }
      ending.removeEventListener('abort', unwatch);
    }
  }
}
