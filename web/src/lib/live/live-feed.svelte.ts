import { serverClock } from '#lib/api/http.ts';
import { Feed, type FeedStatus, type Item, type Source } from '#lib/live/feed.ts';
import { type FeedFacts, type Liveness, lagOf, liveness } from '#lib/live/liveness.ts';
import { now } from '#lib/live/now.svelte.ts';
import { socket } from '#lib/live/socket.svelte.ts';

interface LiveFeedOptions<T> {
  readonly source: Source<T>;
  readonly after: string | null;
  /** When the item happened, ISO 8601. */
  readonly at: (item: T) => string;
  readonly onItem: (item: T) => void;
  readonly onHole: () => void;
  readonly finished?: () => boolean;
}

/** A running feed with what the page shows of it. Whoever began it stops it. */
export interface LiveFeed {
  readonly liveness: Liveness;
  stop(): void;
}

/** Begins to follow `source`. */
export function liveFeed<T extends Item>(options: LiveFeedOptions<T>): LiveFeed {
  let status = $state<FeedStatus['kind']>('running');
  let lag = $state.raw<FeedFacts['lag']>(null);
  const feed = new Feed<T>({
    source: options.source,
    after: options.after,
    onHole: options.onHole,
    ...(options.finished === undefined ? {} : { finished: options.finished }),
    onStatus: (next) => {
      status = next.kind;
    },
    onItem: (item) => {
      const receivedMs = Date.now();
      const { sinceMs } = socket.facts;
      const ms = lagOf(Date.parse(options.at(item)), serverClock.at(receivedMs), serverClock.at(sinceMs));
      if (ms !== null) lag = { ms, receivedMs };
      options.onItem(item);
    },
  });
  return {
    get liveness() {
      return liveness(socket.facts, { status, lag }, now.ms);
    },
    stop: () => feed.stop(),
  };
}
