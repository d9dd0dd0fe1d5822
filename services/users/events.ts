import { randomUUID } from 'node:crypto';
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
export function withMeta(body: UsersEventBody, cause: Cause, occurredAt = Date.now()) {
  const eventId = randomUUID();
  const { actor, correlationId } = cause;
  return { ...body, meta: { eventId, commandId: eventId, correlationId, causationId: eventId, actor, occurredAt } };
}
