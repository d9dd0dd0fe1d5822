import { topics } from '@bookstream/schemas/topics';
import type { NotificationsEvent } from '@bookstream/schemas/types/notifications';
import { projection, table } from '../projection.ts';

export interface NotificationRow {
  readonly notificationId: string;
  readonly userId: string;
  /** Of the user's inbox when it was raised: the order of the list. */
  readonly version: number;
  readonly kind: string;
  readonly orderId: string | null;
  readonly title: string;
  readonly body: string;
  readonly at: number;
  /** Read by itself; AllRead is in the inbox. */
  readonly read: boolean;
}

/** One per user. */
export interface InboxRow {
  readonly userId: string;
  readonly version: number;
  /** Whatever was raised up to this version has been read. */
  readonly allReadVersion: number;
}

export function notificationRow(row: NotificationRow | null, event: NotificationsEvent): NotificationRow | null {
  switch (event.type) {
    case 'NotificationRaised': {
      const { notificationId, userId, version, kind, orderId, title, body, meta } = event;
      return {
        notificationId,
        userId,
        version,
        kind,
        orderId,
        title,
        body,
        at: meta.occurredAt,
        read: row?.read ?? false,
      };
    }
    case 'NotificationRead':
      return row === null ? null : { ...row, read: true };
    case 'AllRead':
      return row;
  }
}

export const inboxRow = (row: InboxRow | null, event: NotificationsEvent): InboxRow => ({
  userId: event.userId,
  version: event.version,
  allReadVersion: event.type === 'AllRead' ? event.version : (row?.allReadVersion ?? 0),
});

export const notificationRows = table<NotificationsEvent, NotificationRow>({
  name: 'notifications',
  topic: topics.notificationsEvents,
  key: 'notificationId',
  columns: {
    notificationId: 'text',
    userId: 'text',
    version: 'integer',
    kind: 'text',
    orderId: 'text?',
    title: 'text',
    body: 'text',
    at: 'instant',
    read: 'boolean',
  },
  keys: (event) => (event.type === 'AllRead' ? [] : [event.notificationId]),
  fold: notificationRow,
  indexes: [{ name: 'user', fields: { userId: 1, version: -1 } }],
});

/** AllRead would touch rows that an event cannot name, so it moves a mark here instead. */
export const inboxes = table<NotificationsEvent, InboxRow>({
  name: 'inboxes',
  topic: topics.notificationsEvents,
  key: 'userId',
  columns: { userId: 'text', version: 'integer', allReadVersion: 'integer' },
  keys: (event) => [event.userId],
  fold: inboxRow,
});

export const notifications = projection({
  name: 'notifications',
  sink: 'mongo',
  tables: [notificationRows, inboxes],
  versions: inboxes,
  revision: 1,
});
