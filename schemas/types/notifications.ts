// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta } from './common.ts';

/** All up to here were read. */
export interface AllRead {
  readonly type: 'AllRead';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
}

/** The person has read them all. */
export interface MarkAllRead {
  readonly type: 'MarkAllRead';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The person (UUID). */
  readonly userId: string;
}

/** The person has read one. */
export interface MarkRead {
  readonly type: 'MarkRead';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** SHA-256 (hex) of the canonical JSON of the person's input: tells a repeat from another intent under the same key. */
  readonly payloadHash: string;
  /** The person (UUID). */
  readonly userId: string;
  readonly notificationId: string;
}

/** There is something to tell. */
export interface NotificationRaised {
  readonly type: 'NotificationRaised';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly notificationId: string;
  readonly kind: string;
  /** The order (UUID). */
  readonly orderId: string | null;
  readonly title: string;
  readonly body: string;
}

/** One was read. */
export interface NotificationRead {
  readonly type: 'NotificationRead';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** Counts the events of this key from 1, without a gap. */
  readonly version: number;
  readonly notificationId: string;
}

/** What stands on `notifications.commands`. */
export type NotificationsCommand = MarkRead | MarkAllRead;

/** What stands on `notifications.events`. */
export type NotificationsEvent = NotificationRaised | NotificationRead | AllRead;
