import { backOffMs } from '#lib/live/back-off.ts';

/** An item of a lossless feed; the cursor is opaque. */
export interface Item {
  readonly cursor: string;
}

export interface Sink<T> {
  readonly next: (item: T) => void;
  /** `fatal`: asking again would give the same. `staleCursor`: the server cannot go on from where we were. */
  readonly error: (problem: { readonly cause: Error; readonly fatal: boolean; readonly staleCursor: boolean }) => void;
  readonly complete: () => void;
}

/** What a feed needs of the connection. */
export interface Source<T> {
  /** Begins; `after` is asked again at each reconnect of the same subscription. @returns the end of it */
  readonly subscribe: (after: () => string | null, sink: Sink<T>) => () => void;
  /** Calls back each time a lost connection stands again. @returns the end of it */
  readonly onReconnect: (listener: () => void) => () => void;
}

export interface FeedOptions<T> {
  readonly source: Source<T>;
  /** Go on behind this item; null: where the server begins by itself. */
  readonly after: string | null;
  readonly onItem: (item: T) => void;
  /** Items may be missing before the next one: what stands on the page has to be read again. */
  readonly onHole: () => void;
  readonly onStatus: (status: FeedStatus) => void;
  /** Is what the feed tells of at its end? Then a completed feed is not begun again. */
  readonly finished?: () => boolean;
  /** Calls back after `ms`; @returns the end of it */
  readonly wait?: (ms: number, then: () => void) => () => void;
}

export type FeedStatus =
  | { readonly kind: 'running' }
  | { readonly kind: 'waiting'; readonly cause: Error }
  | { readonly kind: 'failed'; readonly cause: Error }
  | { readonly kind: 'ended' };

const remembered = 1_000;

const timer = (ms: number, then: () => void): (() => void) => {
  const id = setTimeout(then, ms);
  return () => clearTimeout(id);
};

/**
 * Follows one lossless feed through reconnects, refusals and restarts of the server: no hole that is not told, no double. It remembers the cursor of
 * the last item and goes on behind it. Only where there is none yet (nothing arrived so far) can a broken connection have swallowed items: `onHole`.
 */
export class Feed<T extends Item> {
  readonly #options: FeedOptions<T>;
  readonly #seen = new Set<string>();
  #cursor: string | null;
  #attempt = 0;
  #stopped = false;
  #end: () => void = () => undefined;
  readonly #forget: () => void;

  constructor(options: FeedOptions<T>) {
    this.#options = options;
    this.#cursor = options.after;
    this.#forget = options.source.onReconnect(() => {
      if (this.#cursor === null) options.onHole();
    });
    this.#begin();
  }

  /** Cursor of the last item that was handed on. */
  get cursor(): string | null {
    return this.#cursor;
  }

  stop(): void {
    this.#stopped = true;
    this.#forget();
    this.#end();
  }

  #begin(): void {
    this.#options.onStatus({ kind: 'running' });
    this.#end = this.#options.source.subscribe(() => this.#cursor, {
      next: (item) => this.#take(item),
      complete: () => {
        if (this.#stopped) return;
        if (this.#options.finished?.() === true) this.#options.onStatus({ kind: 'ended' });
        else this.#again(new Error('The server ended the feed.'));
      },
      error: ({ cause, fatal, staleCursor }) => {
        if (this.#stopped) return;
        if (staleCursor && this.#cursor !== null) {
          this.#cursor = null;
          this.#options.onHole();
          this.#again(cause);
        } else if (fatal) this.#options.onStatus({ kind: 'failed', cause });
        else this.#again(cause);
      },
    });
  }

  #take(item: T): void {
    if (this.#stopped) return;
    this.#attempt = 0;
    if (this.#seen.has(item.cursor)) return;
    this.#seen.add(item.cursor);
    if (this.#seen.size > remembered) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#cursor = item.cursor;
    this.#options.onItem(item);
  }

  #again(cause: Error): void {
    this.#options.onStatus({ kind: 'waiting', cause });
    const hadNoCursor = this.#cursor === null;
    const wait = this.#options.wait ?? timer;
    this.#end = wait(backOffMs(this.#attempt++), () => {
      if (this.#stopped) return;
      if (hadNoCursor) this.#options.onHole();
      this.#begin();
    });
  }
}
