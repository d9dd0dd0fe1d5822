import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { InvalidTokenError } from '../users/errors.ts';
import { type AccessClaims, verifyAccessToken } from '../users/tokens.ts';

const freshMs = 60_000;
const askAgainMs = 5_000;

/**
 * Checks access tokens with the keys that the users service publishes. Known keys stay good while that service is away. A token of an unknown key makes it ask
 * again, but not more often than every five seconds: anybody can write a key's name into a token.
 */
export class TokenKeys {
  readonly #fetchKeys: () => Promise<JSONWebKeySet>;
  readonly #now: () => number;
  #keys: JWTVerifyGetKey | null = null;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<JWTVerifyGetKey> | null = null;

  constructor(fetchKeys: () => Promise<JSONWebKeySet>, now: () => number = Date.now) {
    this.#fetchKeys = fetchKeys;
    this.#now = now;
  }

  /** Null for a token that is no good. @throws when no keys were ever had and none can be had now */
  async verify(token: string): Promise<AccessClaims | null> {
    const keys = this.#keys === null || this.#age() >= freshMs ? await this.#ask() : this.#keys;
    const first = await claimsOf(token, keys);
    if (first !== 'unknown key') return first;
    if (this.#age() < askAgainMs) return null;
    const second = await claimsOf(token, await this.#ask());
    return second === 'unknown key' ? null : second;
  }

  #age(): number {
    return this.#now() - this.#askedAt;
  }

  /** Those who ask at the same time share one answer. */
  #ask(): Promise<JWTVerifyGetKey> {
    this.#asking ??= this.#fetchKeys()
      .then((published) => {
        this.#keys = createLocalJWKSet(published);
        return this.#keys;
      })
      .catch((error: unknown) => {
        if (this.#keys === null) throw error;
        return this.#keys;
      })
      .finally(() => {
        this.#askedAt = this.#now();
        this.#asking = null;
      });
    return this.#asking;
  }
}

async function claimsOf(token: string, keys: JWTVerifyGetKey): Promise<AccessClaims | null | 'unknown key'> {
  try {
    return await verifyAccessToken(token, keys);
  } catch (error) {
    const { cause } = error as InvalidTokenError; // all that it throws
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    return code === 'ERR_JWKS_NO_MATCHING_KEY' ? 'unknown key' : null;
  }
}
