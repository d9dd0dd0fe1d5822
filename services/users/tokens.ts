import { randomUUID } from 'node:crypto';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTVerifyGetKey,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { ClientBase, Pool } from 'pg';
import { inTransaction } from './database.ts';
import { InvalidTokenError } from './errors.ts';

export type Role = 'SHOPPER' | 'ADMIN';

/** What a valid access token says. */
export interface AccessClaims {
  readonly userId: string;
  readonly role: Role;
  /** The login it belongs to. */
  readonly familyId: string;
  /** Epoch ms. */
  readonly expiresAtMs: number;
}

export const issuer = 'bookstream-users';
export const audience = 'bookstream';
const accessLifetimeMs = 10 * 60_000;
/** Clocks of two machines may differ by this much. */
const toleranceSeconds = 5;

/**
 * Reads an access token (RFC 9068): ES256 only, whatever the token's own header says; type, issuer, audience, end and subject are all
 * required. Header members that name a key elsewhere (`jku`, `x5u`, `jwk`) are never looked at: the key comes from `keys` by its id.
 * @throws InvalidTokenError
 */
export async function verifyAccessToken(token: string, keys: JWTVerifyGetKey, now = new Date()): Promise<AccessClaims> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['ES256'],
      typ: 'at+jwt',
      issuer,
      audience,
      clockTolerance: toleranceSeconds,
      requiredClaims: ['sub', 'exp', 'iat', 'jti', 'role', 'sid'],
      currentDate: now,
    });
    const { sub, exp, role, sid } = payload;
    if (typeof sub !== 'string' || typeof exp !== 'number' || typeof sid !== 'string')
      throw new TypeError('claim types');
    if (role !== 'SHOPPER' && role !== 'ADMIN') throw new TypeError('role');
    return { userId: sub, role, familyId: sid, expiresAtMs: exp * 1000 };
  } catch (cause) {
    throw new InvalidTokenError(cause);
  }
}

interface KeyRow {
  readonly kid: string;
  readonly public_jwk: JWK;
  readonly private_jwk: JWK;
}

/** Signs tokens and publishes the keys to check them. The keys live in the database, so that all instances share them. */
export class TokenIssuer {
  readonly #pool: Pool;
  #signing: Promise<{ kid: string; key: Awaited<ReturnType<typeof importJWK>> }> | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Makes the first key; does nothing when there is one. */
  async prepare(): Promise<void> {
    await inTransaction(this.#pool, async (client) => {
      await lock(client);
      const live = await client.query('select 1 from signing_keys where retired_at is null');
      if (live.rowCount === 0) await insertKey(client);
    });
  }

  /** From now on a fresh key signs; the one before it goes on to verify until its last token has ended. */
  async rotate(): Promise<void> {
    await inTransaction(this.#pool, async (client) => {
      await lock(client);
      await client.query(`update signing_keys set retired_at = now() where retired_at is null`);
      await insertKey(client);
    });
    this.#signing = undefined;
  }

  async sign(claims: { readonly userId: string; readonly role: Role; readonly familyId: string }): Promise<{
    readonly accessToken: string;
    readonly expiresAtMs: number;
  }> {
    this.#signing ??= this.#load().catch((error: unknown) => {
      this.#signing = undefined;
      throw error;
    });
    const { kid, key } = await this.#signing;
    const issuedAt = Math.floor(Date.now() / 1000);
    const expiresAt = issuedAt + accessLifetimeMs / 1000;
    const accessToken = await new SignJWT({ role: claims.role, sid: claims.familyId })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(claims.userId)
      .setJti(randomUUID())
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(key);
    return { accessToken, expiresAtMs: expiresAt * 1000 };
  }

  /** Public halves of the key that signs and of those whose tokens may still live. */
  async publicKeys(): Promise<JSONWebKeySet> {
    const rows = await this.#pool.query<Pick<KeyRow, 'public_jwk'>>(
      `select public_jwk from signing_keys where retired_at is null or retired_at > now() - $1 * interval '1 millisecond'
       order by created_at desc`,
      [accessLifetimeMs + 2 * toleranceSeconds * 1000 + keyCacheMs],
    );
    return { keys: rows.rows.map((row) => row.public_jwk) };
  }

  /** To check a token where the keys are at hand. */
  async verify(token: string): Promise<AccessClaims> {
    return verifyAccessToken(token, createLocalJWKSet(await this.publicKeys()));
  }

  async #load(): Promise<{ kid: string; key: Awaited<ReturnType<typeof importJWK>> }> {
    const rows = await this.#pool.query<Pick<KeyRow, 'kid' | 'private_jwk'>>(
      'select kid, private_jwk from signing_keys where retired_at is null order by created_at desc limit 1',
    );
    const row = rows.rows[0];
    if (!row) throw new Error('There is no signing key; call prepare() before the first token.');
    // another instance may rotate: look again after a while
    setTimeout(() => (this.#signing = undefined), keyCacheMs).unref();
    return { kid: row.kid, key: await importJWK(row.private_jwk, 'ES256') };
  }
}

/** How long an instance may go on signing with a key that another instance has retired. */
const keyCacheMs = 60_000;

const lock = (client: ClientBase): Promise<unknown> =>
  client.query(`select pg_advisory_xact_lock(hashtext('bookstream_users signing_keys'))`);

async function insertKey(client: ClientBase): Promise<void> {
  const pair = await generateKeyPair('ES256', { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const privateJwk = await exportJWK(pair.privateKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  await client.query('insert into signing_keys (kid, public_jwk, private_jwk) values ($1, $2, $3)', [
    kid,
    JSON.stringify({ ...publicJwk, kid, alg: 'ES256', use: 'sig' }),
    JSON.stringify(privateJwk),
  ]);
}
