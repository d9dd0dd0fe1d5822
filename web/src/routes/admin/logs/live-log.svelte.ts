import { type ApiError, asApiError } from '#lib/api/errors.ts';
import { graphql } from '#lib/api/graphql.ts';
import { liveFeed } from '#lib/live/live-feed.svelte.ts';
import { subscription } from '#lib/live/socket.svelte.ts';
import { request } from '#lib/session.svelte.ts';
import { type Level, type Row, ShownLine, withNewer, withOlder, withPage } from './log-rows.ts';

const LogPage = graphql(
  `
    query LogPage($first: Int!, $after: String, $level: LogLevel, $service: String) {
      admin {
        logs(first: $first, after: $after, level: $level, service: $service) {
          edges {
            node {
              ...ShownLine
            }
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    }
  `,
  [ShownLine],
);
const LogFeed = graphql(
  `
    subscription LogFeed($after: String, $level: LogLevel, $service: String) {
      logs(after: $after, level: $level, service: $service) {
        cursor
        dropped
        line {
          ...ShownLine
        }
      }
    }
  `,
  [ShownLine],
);

const pageSize = 100;
/** Lines that the page holds; a browser stays quick with them. */
const capacity = 1_000;
/** Lines reach the page in batches: thousands a second would else mean thousands of renderings. */
const batchMs = 250;

export interface LogFilter {
  readonly level: Level | null;
  readonly service: string | null;
}

/** The log as it is written, newest first, with what was written before. Whoever began it stops it. */
export function liveLog(filter: LogFilter) {
  const abort = new AbortController();
  let rows = $state.raw<readonly Row[]>([]);
  let waiting = $state.raw<readonly Row[]>([]);
  let paused = $state(false);
  let older = $state.raw<string | null>(null);
  let loaded = $state(false);
  let error = $state.raw<ApiError | null>(null);
  let arrived: Row[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush(): void {
    timer = undefined;
    const newer = arrived.reverse();
    arrived = [];
    if (paused) waiting = withNewer(waiting, newer, capacity);
    else rows = withNewer(rows, newer, capacity);
  }
  function arrive(row: Row): void {
    arrived.push(row);
    // A tab in the background is throttled: hold no more than can be shown.
    if (arrived.length > capacity) arrived.shift();
    timer ??= setTimeout(flush, batchMs);
  }

  const feed = liveFeed({
    source: subscription(LogFeed, { level: filter.level, service: filter.service }, (result) => result.logs),
    after: null,
    at: (item) => item.line.time,
    onItem: (item) => {
      if (item.dropped > 0) {
        const [count, { time }] = [item.dropped, item.line];
        arrive({ gap: true, id: `gap-${item.cursor}`, time, count, reason: 'this page read too slowly' });
      }
      arrive(item.line);
    },
    onHole: () => void load(),
  });

  /** What was written before the feed began; the feed runs already, so nothing falls between. */
  async function load(): Promise<void> {
    try {
      const { admin } = await request(
        LogPage,
        { first: pageSize, level: filter.level, service: filter.service },
        abort.signal,
      );
      const page = admin?.logs;
      if (page === undefined || abort.signal.aborted) return;
      const lines = page.edges.map((edge) => edge.node);
      rows = withPage(rows, lines, capacity);
      if (!loaded) older = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      loaded = true;
      error = null;
    } catch (cause) {
      if (!abort.signal.aborted) error = asApiError(cause);
    }
  }

  void load();
  return {
    get rows() {
      return rows;
    },
    get paused() {
      return paused;
    },
    /** Lines that came since the pause. */
    get waiting() {
      return waiting.length;
    },
    get hasOlder() {
      return older !== null;
    },
    get loaded() {
      return loaded;
    },
    get error() {
      return error;
    },
    get liveness() {
      return feed.liveness;
    },
    pause(): void {
      paused = true;
    },
    resume(): void {
      paused = false;
      rows = withNewer(rows, waiting, capacity);
      waiting = [];
    },
    reload: () => void load(),
    /** @throws ApiError */
    async loadOlder(): Promise<void> {
      if (older === null) return;
      const { admin } = await request(
        LogPage,
        { first: pageSize, after: older, level: filter.level, service: filter.service },
        abort.signal,
      );
      if (!admin) return;
      rows = withOlder(
        rows,
        admin.logs.edges.map((edge) => edge.node),
      );
      older = admin.logs.pageInfo.hasNextPage ? admin.logs.pageInfo.endCursor : null;
    },
    stop(): void {
      abort.abort();
      clearTimeout(timer);
      feed.stop();
    },
  };
}
