import { randomUUID } from 'node:crypto';
import type { ClientBase, Pool } from 'pg';
import { inTransaction } from './database.ts';
import type { UsersEventBody, WriteEvent } from './events.ts';
import { hashPassword, isOutdated, passwordMatches, weakness } from './passwords.ts';
import type { RefreshToken, RefreshTokens } from './refresh-tokens.ts';
import { newPersonalKey, type Personal, seal } from './sealing.ts';
import type { Role, TokenIssuer } from './tokens.ts';

/** A user as others may see them. */
export interface Person {
  readonly userId: string;
  readonly email: string;
  readonly displayName: string;
  readonly role: Role;
}

/** A login: what the caller needs to act as this person, now and for the next thirty days. */
export interface Session {
  readonly person: Person;
  readonly accessToken: string;
  readonly expiresAtMs: number;
  readonly refreshToken: string;
  readonly refreshExpiresAtMs: number;
}

/** Something a person can act on. `field` is the name of the input it is about. */
export interface Refusal {
  readonly code: 'INVALID_INPUT' | 'WEAK_PASSWORD' | 'EMAIL_TAKEN' | 'INVALID_CREDENTIALS' | 'NOT_FOUND';
  readonly message: string;
  readonly field: string | null;
}

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

const refuse = (
  code: Refusal['code'],
  message: string,
  field: string | null = null,
): { ok: false; refusals: Refusal[] } => ({
  ok: false,
  refusals: [{ code, message, field }],
});

interface UserRow {
  readonly user_id: string;
  readonly email: string;
  readonly display_name: string;
  readonly role: Role;
  readonly password_hash: string;
  readonly personal_key: Buffer;
}

const person = (row: UserRow): Person => ({
  userId: row.user_id,
  email: row.email,
  displayName: row.display_name,
  role: row.role,
});

const columns = 'user_id, email, display_name, role, password_hash, personal_key';
const emailKey = (email: string): string => email.normalize('NFC').toLowerCase();
const notYou = 'E-mail or password is wrong. Nobody was logged in.';

/** All that can be done with accounts. Each change and the event that tells of it are one transaction. */
export class Accounts {
  readonly #pool: Pool;
  readonly #tokens: TokenIssuer;
  readonly #refresh: RefreshTokens;
  readonly #write: WriteEvent;

  constructor(parts: { pool: Pool; tokens: TokenIssuer; refresh: RefreshTokens; write: WriteEvent }) {
    this.#pool = parts.pool;
    this.#tokens = parts.tokens;
    this.#refresh = parts.refresh;
    this.#write = parts.write;
  }

  /** Opens an account and begins a login. */
  async register(input: {
    readonly email: string;
    readonly password: string;
    readonly displayName: string;
    readonly correlationId: string;
  }): Promise<Result<Session>> {
    const checked = check(input);
    if (!checked.ok) return checked;
    const passwordHash = await hashPassword(input.password);
    return inTransaction(this.#pool, async (client) => {
      const made = await this.#create(client, { ...checked.value, role: 'SHOPPER', passwordHash }, input.correlationId);
      if (!made) {
        return refuse(
          'EMAIL_TAKEN',
          'This e-mail address has an account already. Log in, or take another one.',
          'email',
        );
      }
      return { ok: true, value: await this.#session(made, await this.#refresh.begin(client, made.userId)) };
    });
  }

  /** Makes an account that a seed asks for; an address that has one is left as it is. */
  async ensure(input: Personal & { readonly password: string; readonly role: Role }): Promise<Person> {
    const before = await this.#byEmail(input.email);
    if (before) return person(before);
    const checked = check(input);
    if (!checked.ok) throw new Error(`The account ${input.email} cannot be made: ${checked.refusals[0]?.message}`);
    const passwordHash = await hashPassword(input.password);
    const made = await inTransaction(this.#pool, (client) =>
      this.#create(client, { ...checked.value, role: input.role, passwordHash }, randomUUID()),
    );
    const row = made ? null : await this.#byEmail(input.email); // another seed was quicker
    if (made) return made;
    if (row) return person(row);
    throw new Error(`The account ${input.email} was neither made nor found.`);
  }

  async login(input: { readonly email: string; readonly password: string }): Promise<Result<Session>> {
    const row = await this.#byEmail(input.email);
    if (!(await passwordMatches(row?.password_hash ?? null, input.password)) || !row) {
      return refuse('INVALID_CREDENTIALS', notYou);
    }
    const rehashed = isOutdated(row.password_hash) ? await hashPassword(input.password) : null;
    return inTransaction(this.#pool, async (client) => {
      if (rehashed) {
        await client.query('update users set password_hash = $3 where user_id = $1 and password_hash = $2', [
          row.user_id,
          row.password_hash,
          rehashed,
        ]);
      }
      return { ok: true, value: await this.#session(person(row), await this.#refresh.begin(client, row.user_id)) };
    });
  }

  /** A fresh access token and the next refresh token for a refresh token. */
  async refresh(token: string): Promise<Result<Session>> {
    return inTransaction(this.#pool, async (client) => {
      const rotation = await this.#refresh.rotate(client, token);
      if (rotation.result !== 'rotated') {
        return refuse('INVALID_CREDENTIALS', 'This login has ended. Log in again.');
      }
      const row = await this.#byId(client, rotation.userId);
      if (!row) return refuse('INVALID_CREDENTIALS', 'This login has ended. Log in again.');
      return { ok: true, value: await this.#session(person(row), rotation.next) };
    });
  }

  /** Ends the login of a refresh token. */
  async logout(token: string): Promise<void> {
    await inTransaction(this.#pool, (client) => this.#refresh.end(client, token));
  }

  /** People by id, in the order asked for; null where there is none. */
  async people(userIds: readonly string[]): Promise<readonly (Person | null)[]> {
    const rows = await this.#pool.query<UserRow>(`select ${columns} from users where user_id = any($1::uuid[])`, [
      userIds,
    ]);
    const byId = new Map(rows.rows.map((row) => [row.user_id, person(row)]));
    return userIds.map((userId) => byId.get(userId) ?? null);
  }

  async changeProfile(userId: string, displayName: string, correlationId: string): Promise<Result<Person>> {
    const problem = nameProblem(displayName);
    if (problem) return { ok: false, refusals: [problem] };
    return inTransaction(this.#pool, async (client) => {
      const row = await this.#byId(client, userId, true);
      if (!row) return refuse('NOT_FOUND', 'This account does not exist any more.');
      const name = displayName.normalize('NFC').trim();
      await client.query('update users set display_name = $2, changed_at = now() where user_id = $1', [userId, name]);
      const sealed = seal(row.personal_key, userId, { email: row.email, displayName: name });
      await this.#tell(client, userId, { type: 'ProfileChanged', userId, sealed }, correlationId);
      return { ok: true, value: { ...person(row), displayName: name } };
    });
  }

  /** Changes the password and ends every login but the one that asks. */
  async changePassword(input: {
    readonly userId: string;
    readonly familyId: string;
    readonly currentPassword: string;
    readonly newPassword: string;
    readonly correlationId: string;
  }): Promise<Result<Person>> {
    const [before] = await this.people([input.userId]);
    if (!before) return refuse('NOT_FOUND', 'This account does not exist any more.');
    const row = await this.#byEmail(before.email);
    if (!row || !(await passwordMatches(row.password_hash, input.currentPassword))) {
      return refuse('INVALID_CREDENTIALS', 'The current password is wrong. Nothing was changed.', 'currentPassword');
    }
    const weak = weakness(input.newPassword, row.email);
    if (weak) return refuse('WEAK_PASSWORD', weak, 'newPassword');
    const passwordHash = await hashPassword(input.newPassword);
    return inTransaction(this.#pool, async (client) => {
      const changed = await client.query(
        'update users set password_hash = $3, changed_at = now() where user_id = $1 and password_hash = $2',
        [input.userId, row.password_hash, passwordHash],
      );
      if (changed.rowCount === 0) {
        return refuse(
          'INVALID_CREDENTIALS',
          'The password was changed elsewhere just now. Nothing was changed here.',
          'currentPassword',
        );
      }
      await this.#refresh.revokeOthers(client, input.userId, input.familyId, 'password-changed');
      await this.#tell(client, input.userId, { type: 'PasswordChanged', userId: input.userId }, input.correlationId);
      return { ok: true, value: person(row) };
    });
  }

  async #create(
    client: ClientBase,
    input: Personal & { readonly role: Role; readonly passwordHash: string },
    correlationId: string,
  ): Promise<Person | null> {
    const userId = randomUUID();
    const key = newPersonalKey();
    const made = await client.query(
      `insert into users (user_id, email, email_key, display_name, role, password_hash, personal_key)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict (email_key) do nothing`,
      [userId, input.email, emailKey(input.email), input.displayName, input.role, input.passwordHash, key],
    );
    if (made.rowCount === 0) return null;
    const sealed = seal(key, userId, input);
    await this.#tell(client, userId, { type: 'UserRegistered', userId, role: input.role, sealed }, correlationId);
    return { userId, email: input.email, displayName: input.displayName, role: input.role };
  }

  #tell(client: ClientBase, actor: string, body: UsersEventBody, correlationId: string): Promise<void> {
    return this.#write(client, body, { actor, correlationId });
  }

  async #session(who: Person, refresh: RefreshToken): Promise<Session> {
    const { accessToken, expiresAtMs } = await this.#tokens.sign({
      userId: who.userId,
      role: who.role,
      familyId: refresh.familyId,
    });
    const { token, expiresAtMs: refreshExpiresAtMs } = refresh;
    return { person: who, accessToken, expiresAtMs, refreshToken: token, refreshExpiresAtMs };
  }

  async #byEmail(email: string): Promise<UserRow | null> {
    const rows = await this.#pool.query<UserRow>(`select ${columns} from users where email_key = $1`, [
      emailKey(email),
    ]);
    return rows.rows[0] ?? null;
  }

  /** With `lock` the row is held to the end of the transaction: what it writes to the outbox is in the order of the changes. */
  async #byId(client: ClientBase, userId: string, lock = false): Promise<UserRow | null> {
    const rows = await client.query<UserRow>(
      `select ${columns} from users where user_id = $1 ${lock ? 'for update' : ''}`,
      [userId],
    );
    return rows.rows[0] ?? null;
  }
}

function nameProblem(displayName: string): Refusal | null {
  const length = [...displayName.normalize('NFC').trim()].length;
  // control and bidirectional characters could make one person look like another in an admin's list
  if (length >= 1 && length <= 80 && !/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(displayName)) return null;
  return {
    code: 'INVALID_INPUT',
    message: 'A name has 1 to 80 characters and no control characters.',
    field: 'displayName',
  };
}

/** All that is wrong with a registration at once; the e-mail and name as they will be kept. */
function check(input: Personal & { readonly password: string }): Result<Personal> {
  const email = input.email.normalize('NFC').trim();
  const refusals: Refusal[] = [];
  if (email.length > 254 || !/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+\.[^\s@\p{Cc}.]+$/u.test(email)) {
    refusals.push({ code: 'INVALID_INPUT', message: 'This is not an e-mail address.', field: 'email' });
  }
  const name = nameProblem(input.displayName);
  if (name) refusals.push(name);
  const weak = weakness(input.password, email);
  if (weak) refusals.push({ code: 'WEAK_PASSWORD', message: weak, field: 'password' });
  if (refusals.length > 0) return { ok: false, refusals };
  return { ok: true, value: { email, displayName: input.displayName.normalize('NFC').trim() } };
}
