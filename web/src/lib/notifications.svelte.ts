import { type ApiError, asApiError } from '#lib/api/errors.ts';
import { graphql, type ResultOf } from '#lib/api/graphql.ts';
import { type LiveFeed, liveFeed } from '#lib/live/live-feed.svelte.ts';
import type { Liveness } from '#lib/live/liveness.ts';
import { subscription } from '#lib/live/socket.svelte.ts';
import { request } from '#lib/session.svelte.ts';

const Message = graphql(`fragment Message on Notification { id kind title body orderId at read }`);
const Inbox = graphql(
  `query Inbox($first: Int!, $after: String) {
    viewer {
      unreadCount
      notifications(first: $first, after: $after) { edges { node { ...Message } } pageInfo { hasNextPage endCursor } }
    }
  }`,
  [Message],
);
const Raised = graphql(
  `subscription Raised($after: String) { notifications(after: $after) { cursor unreadCount notification { ...Message } } }`,
  [Message],
);
const MarkRead = graphql(
  `mutation MarkRead($input: NotificationMarkReadInput!) {
    notificationMarkRead(input: $input) { unreadCount userErrors { code message } }
  }`,
);
const MarkAllRead = graphql(
  `mutation MarkAllRead($input: NotificationMarkAllReadInput!) {
    notificationMarkAllRead(input: $input) { unreadCount userErrors { code message } }
  }`,
);

export type Message = ResultOf<typeof Message>;
const pageSize = 20;

let messages = $state.raw<readonly Message[]>([]);
let unread = $state(0);
let more = $state.raw<string | null>(null);
let loaded = $state(false);
let error = $state.raw<ApiError | null>(null);
/** What a screen reader is told when something new came. */
let announcement = $state('');
let feed = $state.raw<LiveFeed | null>(null);
let round = 0;

/** Newest first, each once; of two versions of one message the given one wins. */
function merge(older: readonly Message[], newer: readonly Message[]): readonly Message[] {
  const byId = new Map([...older, ...newer].map((message) => [message.id, message]));
  return [...byId.values()].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

async function load(): Promise<void> {
  const asked = ++round;
  const before = new Set(messages.map((message) => message.id));
  try {
    const { viewer } = await request(Inbox, { first: pageSize });
    if (asked !== round || viewer === null) return;
    const page = viewer.notifications.edges.map((edge) => edge.node);
    const inPage = new Set(page.map((message) => message.id));
    // The feed runs already: what it brought while this was read may be newer than the page that was read, and so may its count.
    const overtaken = messages.some((message) => !before.has(message.id) && !inPage.has(message.id));
    messages = merge(messages, page);
    if (!overtaken) unread = viewer.unreadCount;
    more = viewer.notifications.pageInfo.hasNextPage ? viewer.notifications.pageInfo.endCursor : null;
    loaded = true;
    error = null;
  } catch (cause) {
    if (asked === round) error = asApiError(cause);
  }
}

/** The person's messages, followed as long as they are logged in: the layout begins and ends it. */
export const notifications = {
  get messages() {
    return messages;
  },
  get unread() {
    return unread;
  },
  get hasMore() {
    return more !== null;
  },
  get loaded() {
    return loaded;
  },
  get error() {
    return error;
  },
  get announcement() {
    return announcement;
  },
  get liveness(): Liveness | null {
    return feed?.liveness ?? null;
  },
  /** Follows the messages. @returns the end of it, which forgets them */
  follow(): () => void {
    feed = liveFeed({
      source: subscription(Raised, {}, (result) => result.notifications),
      after: null,
      at: (item) => item.notification.at,
      onItem: (item) => {
        messages = merge(messages, [item.notification]);
        unread = item.unreadCount;
        announcement = item.notification.title;
      },
      onHole: () => void load(),
    });
    void load();
    return () => {
      round++;
      feed?.stop();
      feed = null;
      messages = [];
      unread = 0;
      more = null;
      loaded = false;
      error = null;
      announcement = '';
    };
  },
  reload: () => void load(),
  /** @throws ApiError */
  async loadMore(): Promise<void> {
    if (more === null) return;
    const { viewer } = await request(Inbox, { first: pageSize, after: more });
    if (viewer === null) return;
    messages = merge(
      messages,
      viewer.notifications.edges.map((edge) => edge.node),
    );
    more = viewer.notifications.pageInfo.hasNextPage ? viewer.notifications.pageInfo.endCursor : null;
  },
  /** Shown as read at once, since the server can hardly say no; taken back if it does. @throws ApiError */
  async markRead(id: string): Promise<void> {
    const was = { messages, unread };
    messages = messages.map((message) => (message.id === id ? { ...message, read: true } : message));
    unread = Math.max(0, unread - 1);
    try {
      const { notificationMarkRead } = await request(MarkRead, { input: { notificationId: id } });
      if (notificationMarkRead.userErrors.length === 0) unread = notificationMarkRead.unreadCount;
      else void load();
    } catch (cause) {
      messages = messages.map(
        (message) => was.messages.find((old) => old.id === message.id && old.id === id) ?? message,
      );
      unread += 1;
      throw asApiError(cause);
    }
  },
  /** @throws ApiError */
  async markAllRead(): Promise<void> {
    const { notificationMarkAllRead } = await request(MarkAllRead, { input: {} });
    unread = notificationMarkAllRead.unreadCount;
    messages = messages.map((message) => ({ ...message, read: true }));
  },
};
