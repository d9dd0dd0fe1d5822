import { manifest, type TopicEntry, type TopicId } from './manifest.ts';
import { avroSerde, keySerde, type Serde } from './serde.ts';
import type { BooksCommand, BooksEvent, BooksState } from './types/books.ts';
import type { LogEvent } from './types/logs.ts';
import type { NotificationsCommand, NotificationsEvent } from './types/notifications.ts';
import type { OrdersCommand, OrdersEvent, OrdersView } from './types/orders.ts';
import type { CommandOutcome } from './types/outcomes.ts';
import type { PaymentsEvent } from './types/payments.ts';
import type { ProjectionsEvent } from './types/projections.ts';
import type { ReservationsEvent } from './types/reservations.ts';
import type { StockCommand, StockEvent } from './types/stock.ts';
import type { UsersEvent } from './types/users.ts';
import type { WalletsCommand, WalletsEvent } from './types/wallets.ts';

/** A topic with what stands on it. Structurally what the stream library takes as a topic. */
export interface Topic<V> {
  readonly name: string;
  readonly keySerde: Serde<string>;
  readonly valueSerde: Serde<V>;
  readonly records: readonly string[];
  readonly writer: string | null;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact' | 'compact,delete';
  readonly retentionMs: number;
}

/** Fixed at first creation, checked at every start: another count would send a key elsewhere. */
const partitions = 4;

const topic = <V extends { readonly type: string }>(id: TopicId): Topic<V> => {
  const entry: TopicEntry = manifest[id];
  const { name, records, writer, cleanup, retentionMs } = entry;
  return { name, keySerde, valueSerde: avroSerde<V>(entry), records, writer, partitions, cleanup, retentionMs };
};

/** Each topic of the shop once. */
export const topics = {
  usersEvents: topic<UsersEvent>('usersEvents'),
  booksCommands: topic<BooksCommand>('booksCommands'),
  booksEvents: topic<BooksEvent>('booksEvents'),
  booksState: topic<BooksState>('booksState'),
  ordersCommands: topic<OrdersCommand>('ordersCommands'),
  ordersEvents: topic<OrdersEvent>('ordersEvents'),
  ordersView: topic<OrdersView>('ordersView'),
  stockCommands: topic<StockCommand>('stockCommands'),
  stockEvents: topic<StockEvent>('stockEvents'),
  reservationsEvents: topic<ReservationsEvent>('reservationsEvents'),
  walletsCommands: topic<WalletsCommand>('walletsCommands'),
  walletsEvents: topic<WalletsEvent>('walletsEvents'),
  paymentsEvents: topic<PaymentsEvent>('paymentsEvents'),
  notificationsCommands: topic<NotificationsCommand>('notificationsCommands'),
  notificationsEvents: topic<NotificationsEvent>('notificationsEvents'),
  commandOutcomes: topic<CommandOutcome>('commandOutcomes'),
  logs: topic<LogEvent>('logs'),
  projectionsEvents: topic<ProjectionsEvent>('projectionsEvents'),
} as const;

/** Where what could not be processed of a topic goes: original key and bytes, the cause in the headers. */
export const dlqOf = (of: { readonly name: string; readonly partitions: number }) => ({
  name: `${of.name}.dlq`,
  partitions: of.partitions,
  cleanup: 'delete' as const,
  retentionMs: -1,
});
