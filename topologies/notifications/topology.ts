import { uuidv5 } from '@bookstream/schemas/ids';
import { topics } from '@bookstream/schemas/topics';
import type { NotificationsCommand, NotificationsEvent } from '@bookstream/schemas/types/notifications';
import type { OrdersEvent } from '@bookstream/schemas/types/orders';
import type { CommandOutcome } from '@bookstream/schemas/types/outcomes';
import {
  type KeyValueStore,
  type Processor,
  type ProcessorContext,
  Serdes,
  Stores,
  type StreamRecord,
  type StreamsBuilder,
} from '@bookstream/streams';
import { accepted, Inbox, inboxStore, refusal, rejected } from '../shared/inbox.ts';
import { Consequences } from '../shared/meta.ts';
import { type Routed, route } from '../shared/routed.ts';
import { stateSerde } from '../shared/state-serde.ts';
import { whole } from '../shared/whole.ts';
import { noticeOf } from './notifications.ts';

export const applicationId = 'bookstream-notifications';

const nodeName = 'notifications';

/** One row a person: how far their history goes; and one a notification: where it stands there. What was read is for its readers to fold. */
interface Row {
  readonly version: number;
}

type Bare<E> = E extends unknown ? Omit<E, 'meta' | 'userId' | 'version'> : never;

class NotificationsProcessor implements Processor<string, OrdersEvent | NotificationsCommand, string, Routed> {
  #context!: ProcessorContext<string, Routed>; // set by init, before the first record
  #rows!: KeyValueStore<string, Row>; // likewise
  #inbox!: Inbox; // likewise

  init(context: ProcessorContext<string, Routed>): void {
    this.#context = context;
    this.#rows = context.getStateStore('notifications-by-user');
    this.#inbox = new Inbox(context as ProcessorContext<never, never>, 'notification-outcomes'); // it only reads stores and schedules
  }

  process({ key: userId, value: input, timestamp }: StreamRecord<string, OrdersEvent | NotificationsCommand>): void {
    const consequences = new Consequences(input.meta, applicationId, nodeName, {
      record: timestamp,
      now: this.#context.currentSystemTimeMs(),
    });
    if (input.type === 'MarkRead' || input.type === 'MarkAllRead') {
      const outcome =
        this.#inbox.repeated(input, consequences) ?? this.#inbox.remember(this.#mark(userId, input, consequences));
      this.#forward({ to: 'commandOutcomes', key: input.meta.commandId, value: outcome });
    } else this.#raise(userId, input, consequences);
  }

  #raise(userId: string, event: OrdersEvent, consequences: Consequences): void {
    const notice = noticeOf(event);
    if (notice === null) return;
    const notificationId = uuidv5(event.meta.eventId, 'notification');
    if (this.#rows.get(`${userId}/${notificationId}`) !== null) return; // the same event came twice
    const fact = { type: 'NotificationRaised', notificationId, orderId: event.orderId, ...notice } as const;
    const { version } = this.#write(userId, fact, consequences);
    this.#rows.put(`${userId}/${notificationId}`, { version });
  }

  #mark(userId: string, command: NotificationsCommand, consequences: Consequences): CommandOutcome {
    if (command.type === 'MarkAllRead') {
      return accepted(command, [this.#write(userId, { type: 'AllRead' }, consequences)], consequences);
    }
    const { notificationId } = command;
    if (this.#rows.get(`${userId}/${notificationId}`) === null)
      return rejected(
        command,
        [refusal('NOT_FOUND', 'there is no such notification; nothing was marked', ['notificationId'])],
        consequences,
      );
    return accepted(
      command,
      [this.#write(userId, { type: 'NotificationRead', notificationId }, consequences)],
      consequences,
    );
  }

  #write(userId: string, fact: Bare<NotificationsEvent>, consequences: Consequences): NotificationsEvent {
    const version = (this.#rows.get(userId)?.version ?? 0) + 1;
    const event = { ...fact, meta: consequences.event(), userId, version } as NotificationsEvent; // a bare fact with what it lacked
    this.#rows.put(userId, { version });
    this.#forward({ to: 'notificationsEvents', key: userId, value: event });
    return event;
  }

  #forward(routed: Routed): void {
    this.#context.forward({ key: routed.key, value: routed });
  }
}

/** Tells people what became of their orders. Order events are keyed by order; what is told is kept by person, so they are repartitioned. */
export function build(builder: StreamsBuilder): void {
  builder.addStateStore(
    Stores.keyValue({ name: 'notifications-by-user', keySerde: Serdes.string, valueSerde: stateSerde<Row>() }),
  );
  builder.addStateStore(inboxStore('notification-outcomes'));
  const decided = builder
    .stream(topics.ordersEvents, whole)
    .filter((_orderId, event) => noticeOf(event) !== null, { as: 'worth-telling' })
    .selectKey((_orderId, event): string => event.userId, { as: 'by-person' })
    .repartition({ as: 'order-outcomes-by-user', keySerde: topics.ordersEvents.keySerde })
    .merge(builder.stream(topics.notificationsCommands, whole))
    .process<string, Routed>(() => new NotificationsProcessor(), {
      as: nodeName,
      stores: ['notifications-by-user', 'notification-outcomes'],
    });
  route(decided, ['notificationsEvents', 'commandOutcomes']);
}
