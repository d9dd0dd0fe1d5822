import type { Db } from 'mongodb';
import type { Page, PageArguments } from '../page.ts';
import { mongoReader } from '../sinks/mongo-live.ts';
import { mongoPage } from '../sinks/mongo-page.ts';
import { inboxes, type NotificationRow, notificationRows, notifications } from './projection.ts';

const rows = mongoReader(notifications.name, notificationRows);
const inbox = mongoReader(notifications.name, inboxes);

async function allReadVersionOf(db: Db, userId: string): Promise<number> {
  const found = await (await inbox.live(db))?.findOne({ _id: userId });
  return found ? inbox.read(found).allReadVersion : 0;
}

const asSeen = (row: NotificationRow, allReadVersion: number): NotificationRow => ({
  ...row,
  read: row.read || row.version <= allReadVersion,
});

/** Newest first. @throws InvalidCursorError */
export async function notificationsPage(db: Db, userId: string, page: PageArguments): Promise<Page<NotificationRow>> {
  const [allRead, found] = await Promise.all([
    allReadVersionOf(db, userId),
    mongoPage(
      db,
      {
        list: 'notifications',
        projection: notifications.name,
        table: notificationRows,
        order: ['version', '_id'],
        direction: -1,
        keyOf: (row) => [row.version, row.notificationId],
        filter: { userId },
      },
      page,
    ),
  ]);
  return { ...found, items: found.items.map(({ cursor, node }) => ({ cursor, node: asSeen(node, allRead) })) };
}

/** Null when there is none or it is another user's. */
export async function notificationById(
  db: Db,
  userId: string,
  notificationId: string,
): Promise<NotificationRow | null> {
  const found = await (await rows.live(db))?.findOne({ _id: notificationId, userId, ...rows.visible });
  return found ? asSeen(rows.read(found), await allReadVersionOf(db, userId)) : null;
}

/**
 * Raised behind `version`, oldest first: what a feed back-fills before it goes live. A batch writes its rows in any order and the inbox after
 * them, so what is newer than the inbox waits for it: a feed that had seen 6 would never look for 5 again.
 */
export async function notificationsAfter(
  db: Db,
  userId: string,
  version: number,
  limit = 1_000,
): Promise<readonly NotificationRow[]> {
  const collection = await rows.live(db);
  if (collection === null) return [];
  const owner = await (await inbox.live(db))?.findOne({ _id: userId });
  if (!owner) return [];
  const complete = inbox.read(owner);
  const found = await collection
    .find({ userId, version: { $gt: version, $lte: complete.version }, ...rows.visible })
    .sort({ version: 1 })
    .limit(limit)
    .toArray();
  return found.map((document) => asSeen(rows.read(document), complete.allReadVersion));
}

export async function unreadCount(db: Db, userId: string): Promise<number> {
  const collection = await rows.live(db);
  if (collection === null) return 0;
  const allRead = await allReadVersionOf(db, userId);
  return collection.countDocuments({ userId, read: false, version: { $gt: allRead }, ...rows.visible });
}
