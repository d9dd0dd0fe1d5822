import { randomUUID } from 'node:crypto';
import { topics } from '@bookstream/schemas/topics';
import type { UsersEvent } from '@bookstream/schemas/types/users';
import type { ClientBase } from 'pg';
import type { Role } from './tokens.ts';

/** What users.events tells, less its meta; the records of schemas/users. */
export type UsersEventBody =
  | { readonly type: 'UserRegistered'; readonly userId: string; readonly role: Role; readonly sealed: Uint8Array }
  | { readonly type: 'ProfileChanged'; readonly userId: string; readonly sealed: Uint8Array }
  | { readonly type: 'PasswordChanged'; readonly userId: string };

/** Who caused it: `correlationId` is the request's. */
export interface Cause {
  readonly actor: string;
  readonly correlationId: string;
}

/** Writes an event to the outbox in the transaction of the change it tells of; the caller holds the lock on the user's row. */
export type WriteEvent = (client: ClientBase, body: UsersEventBody, cause: Cause) => Promise<void>;

/** An event with its meta. A direct change has no command, so it is its own cause. */
function withMeta(body: UsersEventBody, cause: Cause, occurredAt = Date.now()): UsersEvent {
  const eventId = randomUUID();
  const { actor, correlationId } = cause;
  return { ...body, meta: { eventId, commandId: eventId, correlationId, causationId: eventId, actor, occurredAt } };
}

/** Into the table from which the relay publishes. */
export const writeToOutbox: WriteEvent = async (client, body, cause) => {
  const event = withMeta(body, cause);
  const { name, valueSerde } = topics.usersEvents;
  // Avro knows bytes as Buffers only.
  const value = valueSerde.serialize(name, 'sealed' in event ? { ...event, sealed: Buffer.from(event.sealed) } : event);
  await client.query('insert into outbox (event_id, topic, key, value) values ($1, $2, $3, $4)', [
    event.meta.eventId,
    name,
    body.userId,
    value,
  ]);
};
