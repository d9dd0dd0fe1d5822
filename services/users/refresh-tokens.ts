import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import type { ClientBase, Pool } from 'pg';

const refreshLifetimeMs = 30 * 24 * 3_600_000;
/** A token used twice within this time is a lost race (two tabs, a lost answer), not a theft. */
const graceMs = 20_000;

/** A refresh token to hand out; opaque, and known to nobody but its holder. */
export interface RefreshToken {
  readonly token: string;
  readonly familyId: string;
  readonly expiresAtMs: number;
}

export type Rotation =
  | { readonly result: 'rotated'; readonly userId: string; readonly next: RefreshToken }
  | { readonly result: 'unknown' | 'expired' | 'revoked' }
  /** An old token came back after the grace: somebody else has it. The whole family was revoked. */
  | { readonly result: 'reused'; readonly userId: string; readonly familyId: string };

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

interface TokenRow {
  readonly family_id: string;
  readonly expires_at: Date;
  readonly rotated_at: Date | null;
  readonly rotated_ms: number | null;
}

/**
 * Refresh tokens that rotate at each use. A successor is derived from its predecessor (HMAC under a secret of this service), so that the loser
 * of a race is given the very token the winner got, though only hashes are kept.
 */
export class RefreshTokens {
  readonly #secret: Buffer;
  private constructor(secret: Buffer) {
    this.#secret = secret;
  }

  static async open(pool: Pool): Promise<RefreshTokens> {
    await pool.query('insert into secrets values ($1, $2) on conflict do nothing', ['refresh-chain', randomBytes(32)]);
    const rows = await pool.query<{ secret: Buffer }>('select secret from secrets where name = $1', ['refresh-chain']);
    const secret = rows.rows[0]?.secret;
    if (!secret) throw new Error('The secret of the refresh tokens was not stored; look at the table `secrets`.');
    return new RefreshTokens(secret);
  }

  /** Begins a family: a login. */
  async begin(client: ClientBase, userId: string): Promise<RefreshToken> {
    const familyId = randomUUID();
    await client.query('insert into refresh_families (family_id, user_id) values ($1, $2)', [familyId, userId]);
    return this.#store(client, familyId, randomBytes(32).toString('base64url'));
  }

  /** Takes a token for its successor. Runs in the caller's transaction; rotations of one family wait for each other. */
  async rotate(client: ClientBase, token: string): Promise<Rotation> {
    const family = await client.query<{ family_id: string; user_id: string; revoked_at: Date | null }>(
      `select family_id, user_id, revoked_at from refresh_families
       where family_id = (select family_id from refresh_tokens where token_hash = $1) for update`,
      [hashOf(token)],
    );
    const owner = family.rows[0];
    if (!owner) return { result: 'unknown' };
    if (owner.revoked_at) return { result: 'revoked' };

    const row = await this.#find(client, token);
    if (!row) return { result: 'unknown' };
    if (row.expires_at.getTime() <= Date.now()) return { result: 'expired' };
    if (row.rotated_at === null) {
      await client.query('update refresh_tokens set rotated_at = now() where token_hash = $1', [hashOf(token)]);
      return {
        result: 'rotated',
        userId: owner.user_id,
        next: await this.#store(client, owner.family_id, this.#successor(token)),
      };
    }
    if ((row.rotated_ms ?? Infinity) > graceMs) {
      await this.revoke(client, owner.family_id, 'reused');
      return { result: 'reused', userId: owner.user_id, familyId: owner.family_id };
    }
    // within the grace: follow the chain to its newest token and hand that out again, without rotating it
    let current = token;
    let found: TokenRow | null = row;
    while (found && found.rotated_at !== null) {
      current = this.#successor(current);
      found = await this.#find(client, current);
    }
    if (!found) return { result: 'unknown' };
    const next = { token: current, familyId: owner.family_id, expiresAtMs: found.expires_at.getTime() };
    return { result: 'rotated', userId: owner.user_id, next };
  }

  /** Ends the login a token belongs to; an unknown token changes nothing. */
  async end(client: ClientBase, token: string): Promise<void> {
    const rows = await client.query<{ family_id: string }>(
      'select family_id from refresh_tokens where token_hash = $1',
      [hashOf(token)],
    );
    const familyId = rows.rows[0]?.family_id;
    if (familyId) await this.revoke(client, familyId, 'logout');
  }

  async revoke(client: ClientBase, familyId: string, because: string): Promise<void> {
    await client.query(
      'update refresh_families set revoked_at = now(), revoked_because = $2 where family_id = $1 and revoked_at is null',
      [familyId, because],
    );
  }

  /** Ends all logins of a user but one. */
  async revokeOthers(
    client: ClientBase,
    userId: string,
    exceptFamilyId: string | null,
    because: string,
  ): Promise<void> {
    await client.query(
      `update refresh_families set revoked_at = now(), revoked_because = $3
       where user_id = $1 and revoked_at is null and family_id is distinct from $2`,
      [userId, exceptFamilyId, because],
    );
  }

  #successor(token: string): string {
    return createHmac('sha256', this.#secret).update(token).digest('base64url');
  }

  async #find(client: ClientBase, token: string): Promise<TokenRow | null> {
    const rows = await client.query<TokenRow>(
      `select family_id, expires_at, rotated_at, (extract(epoch from clock_timestamp() - rotated_at) * 1000)::float8 as rotated_ms
       from refresh_tokens where token_hash = $1`,
      [hashOf(token)],
    );
    return rows.rows[0] ?? null;
  }

  async #store(client: ClientBase, familyId: string, token: string): Promise<RefreshToken> {
    const expiresAtMs = Date.now() + refreshLifetimeMs;
    await client.query('insert into refresh_tokens (token_hash, family_id, expires_at) values ($1, $2, $3)', [
      hashOf(token),
      familyId,
      new Date(expiresAtMs),
    ]);
    return { token, familyId, expiresAtMs };
  }
}
