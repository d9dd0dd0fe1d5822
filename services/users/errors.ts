/** Faults of the users service; what a person can act on is a `Refusal` (accounts.ts), not an error. */
class UsersError extends Error {
  readonly code: string = 'USERS';
  readonly retriable: boolean = false;
}

/** Too many passwords are being hashed at once. */
export class TooManyLoginsError extends UsersError {
  override readonly code = 'TOO_MANY_LOGINS';
  override readonly retriable = true;
  constructor(waiting: number) {
    super(
      `${waiting} logins wait for their password to be checked, so this one was not begun. Try again in some seconds.`,
    );
  }
}

/** A migration file is not what was once applied. */
export class MigrationChangedError extends UsersError {
  override readonly code = 'MIGRATION_CHANGED';
  constructor(file: string) {
    super(
      `Migration ${file} was changed after it had been applied; nothing was migrated. Put the file back and write the change as a new one.`,
    );
  }
}

/** A token that must not be trusted; `reason` is for the log, the caller learns only that it is not valid. */
export class InvalidTokenError extends UsersError {
  override readonly code = 'INVALID_TOKEN';
  constructor(cause: unknown) {
    super('The access token is not valid or has ended; ask for a fresh one by refresh, or log in.', { cause });
  }
}
