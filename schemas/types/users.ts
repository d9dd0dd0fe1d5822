// Generated from the .avsc files: change those, then `npm run types`.
import type { Meta } from './common.ts';

/** The password is another; older sessions are over. */
export interface PasswordChanged {
  readonly type: 'PasswordChanged';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
}

/** The person goes by another name or address. */
export interface ProfileChanged {
  readonly type: 'ProfileChanged';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  /** AES-256-GCM of {email, displayName} under a key of this person that only the users service holds; erasing the key erases the person. */
  readonly sealed: Uint8Array;
}

/** What the person may do has changed. */
export interface RoleChanged {
  readonly type: 'RoleChanged';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  readonly role: string;
}

/** The account is closed to logins. */
export interface UserDisabled {
  readonly type: 'UserDisabled';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
}

/** The key of the personal data is destroyed: every sealed field of this person is unreadable for ever. */
export interface UserErased {
  readonly type: 'UserErased';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
}

/** A person has an account. */
export interface UserRegistered {
  readonly type: 'UserRegistered';
  /** Who, when and why: ids of this event and of what caused it. */
  readonly meta: Meta;
  /** The person (UUID). */
  readonly userId: string;
  readonly role: string;
  /** AES-256-GCM of {email, displayName} under a key of this person that only the users service holds; erasing the key erases the person. */
  readonly sealed: Uint8Array;
}

/** What stands on `users.events`. */
export type UsersEvent = UserRegistered | ProfileChanged | PasswordChanged | RoleChanged | UserDisabled | UserErased;
