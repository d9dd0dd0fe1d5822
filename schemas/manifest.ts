/** What stands on a topic, as data: `topics.ts` makes typed topics of it, `generate-types.ts` the union types, `register.ts` the subjects. */
export interface TopicEntry {
  readonly name: string;
  /** Folder of the records and name of the generated union of all records of this topic. */
  readonly context: string;
  readonly union: string;
  readonly records: readonly string[];
  /** The one writer (a topology, the users relay, the rebuild); null where several may write. */
  readonly writer: string | null;
  readonly cleanup: 'delete' | 'compact' | 'compact,delete';
  /** -1: for ever. `.events` are kept for ever, because they are what a replay reads. */
  readonly retentionMs: number;
}

const day = 86_400_000;
const forEver = { cleanup: 'delete', retentionMs: -1 } as const;
const commands = { writer: null, cleanup: 'delete', retentionMs: 7 * day } as const;
const compacted = { cleanup: 'compact', retentionMs: -1 } as const;

export const manifest = {
  usersEvents: {
    name: 'users.events',
    context: 'users',
    union: 'UsersEvent',
    records: ['UserRegistered', 'ProfileChanged', 'PasswordChanged', 'RoleChanged', 'UserDisabled', 'UserErased'],
    writer: 'users',
    ...forEver,
  },
  booksCommands: {
    name: 'books.commands',
    context: 'books',
    union: 'BooksCommand',
    records: ['CreateBook', 'EditBook', 'ChangePrice', 'WithdrawBook', 'ReinstateBook'],
    ...commands,
  },
  booksEvents: {
    name: 'books.events',
    context: 'books',
    union: 'BooksEvent',
    records: ['BookCreated', 'BookEdited', 'PriceChanged', 'BookWithdrawn', 'BookReinstated'],
    writer: 'catalogue',
    ...forEver,
  },
  booksState: {
    name: 'books.state',
    context: 'books',
    union: 'BooksState',
    records: ['BookState'],
    writer: 'catalogue',
    ...compacted,
  },
  ordersCommands: {
    name: 'orders.commands',
    context: 'orders',
    union: 'OrdersCommand',
    records: ['PlaceOrder', 'CancelOrder', 'RequestRefund', 'MarkShipped', 'MarkDelivered', 'TimeoutDue'],
    ...commands,
  },
  ordersEvents: {
    name: 'orders.events',
    context: 'orders',
    union: 'OrdersEvent',
    records: [
      'OrderPlaced',
      'ReservationStarted',
      'LineAnswered',
      'PaymentMoved',
      'OrderConfirmed',
      'OrderRejected',
      'OrderBackordered',
      'CancellationStarted',
      'OrderCancelled',
      'OrderShipped',
      'OrderDelivered',
      'RefundRequested',
      'RefundSettled',
    ],
    writer: 'order-process',
    ...forEver,
  },
  ordersView: {
    name: 'orders.view',
    context: 'orders',
    union: 'OrdersView',
    records: ['OrderView'],
    writer: 'order-view',
    ...compacted,
  },
  stockCommands: {
    name: 'stock.commands',
    context: 'stock',
    union: 'StockCommand',
    records: [
      'ReserveStock',
      'ReleaseStock',
      'CommitStock',
      'ShipStock',
      'ReturnStock',
      'Restock',
      'AdjustStock',
      'JoinWaitlist',
      'LeaveWaitlist',
    ],
    ...commands,
  },
  stockEvents: {
    name: 'stock.events',
    context: 'stock',
    union: 'StockEvent',
    records: [
      'StockRestocked',
      'StockReserved',
      'StockReleased',
      'StockCommitted',
      'StockShipped',
      'StockReturned',
      'StockAdjusted',
      'LowStockReached',
      'BackInStock',
      'WaitlistJoined',
      'WaitlistLeft',
      'WaitlistServed',
    ],
    writer: 'stock',
    ...forEver,
  },
  reservationsEvents: {
    name: 'reservations.events',
    context: 'reservations',
    union: 'ReservationsEvent',
    records: [
      'LineReserved',
      'LineRejected',
      'LineQueued',
      'LineReleased',
      'LineCommitted',
      'LineShipped',
      'LineReturned',
    ],
    writer: 'stock',
    ...forEver,
  },
  walletsCommands: {
    name: 'wallets.commands',
    context: 'wallets',
    union: 'WalletsCommand',
    records: ['TopUp', 'HoldFunds', 'ReleaseHold', 'CaptureFunds', 'RefundFunds'],
    ...commands,
  },
  walletsEvents: {
    name: 'wallets.events',
    context: 'wallets',
    union: 'WalletsEvent',
    records: ['WalletToppedUp', 'FundsHeld', 'HoldReleased', 'FundsCaptured', 'WalletRefunded'],
    writer: 'wallet',
    ...forEver,
  },
  paymentsEvents: {
    name: 'payments.events',
    context: 'payments',
    union: 'PaymentsEvent',
    records: ['PaymentAuthorized', 'PaymentDeclined', 'PaymentCaptured', 'PaymentReleased', 'PaymentRefunded'],
    writer: 'wallet',
    ...forEver,
  },
  notificationsCommands: {
    name: 'notifications.commands',
    context: 'notifications',
    union: 'NotificationsCommand',
    records: ['MarkRead', 'MarkAllRead'],
    ...commands,
  },
  notificationsEvents: {
    name: 'notifications.events',
    context: 'notifications',
    union: 'NotificationsEvent',
    records: ['NotificationRaised', 'NotificationRead', 'AllRead'],
    writer: 'notifications',
    ...forEver,
  },
  commandOutcomes: {
    name: 'command.outcomes',
    context: 'outcomes',
    union: 'CommandOutcome',
    records: ['CommandAccepted', 'CommandRejected'],
    writer: null,
    cleanup: 'delete',
    retentionMs: 7 * day,
  },
  logs: {
    name: 'logs',
    context: 'logs',
    union: 'LogEvent',
    records: ['LogRecorded'],
    writer: null,
    cleanup: 'delete',
    retentionMs: 14 * day,
  },
  projectionsEvents: {
    name: 'projections.events',
    context: 'projections',
    union: 'ProjectionsEvent',
    records: ['RebuildStarted', 'RebuildProgressed', 'RebuildSwitched', 'RebuildFailed', 'RebuildCancelled'],
    writer: 'rebuild',
    ...forEver,
  },
} as const satisfies Record<string, TopicEntry>;

export type TopicId = keyof typeof manifest;
export const topicEntries: readonly TopicEntry[] = Object.values(manifest);
