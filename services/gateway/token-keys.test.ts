import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { audience, issuer } from '../users/tokens.ts';
import { TokenKeys } from './token-keys.ts';

const makeKey = async (kid: string) => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: 'ES256' };
  const token = await new SignJWT({ role: 'SHOPPER', sid: 'family' })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('ada')
    .setJti('1')
    .setIssuedAt()
    .setExpirationTime('10m')
    .sign(privateKey);
  return { jwk, token };
};
const [old, young, stranger] = [await makeKey('old'), await makeKey('young'), await makeKey('stranger')];

/** A users service that publishes `keys`, or is away. */
function published(keys: JWK[]) {
  const users = { keys, away: false, asked: 0, now: 0 };
  const tokenKeys = new TokenKeys(
    async () => {
      users.asked += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (users.away) throw new Error('users is away');
      return { keys: users.keys };
    },
    () => users.now,
  );
  return { users, tokenKeys };
}

test('many who come at once ask once', async () => {
  const { users, tokenKeys } = published([old.jwk]);
  const all = await Promise.all(Array.from({ length: 20 }, () => tokenKeys.verify(old.token)));
  expect(new Set(all.map((claims) => claims?.userId))).toEqual(new Set(['ada']));
  expect(users.asked).toBe(1);
});

test('known keys are good while the users service is away', async () => {
  const { users, tokenKeys } = published([old.jwk]);
  await tokenKeys.verify(old.token);
  users.away = true;
  users.now = 3_600_000;
  expect((await tokenKeys.verify(old.token))?.userId).toBe('ada');
});

test('without any key a token cannot be judged, and that is not the same as a bad one', async () => {
  const { users, tokenKeys } = published([old.jwk]);
  users.away = true;
  await expect(tokenKeys.verify(old.token)).rejects.toThrow('users is away');
});

test('a key that was made a moment ago is learnt', async () => {
  const { users, tokenKeys } = published([old.jwk]);
  await tokenKeys.verify(old.token);
  users.keys = [young.jwk, old.jwk];
  users.now = 6_000;
  expect((await tokenKeys.verify(young.token))?.userId).toBe('ada');
});

test('made-up keys do not make it ask again and again', async () => {
  const { users, tokenKeys } = published([old.jwk]);
  for (let n = 0; n < 50; n += 1) expect(await tokenKeys.verify(stranger.token)).toBeNull();
  expect(users.asked).toBe(1);
  users.now = 6_000;
  for (let n = 0; n < 50; n += 1) expect(await tokenKeys.verify(stranger.token)).toBeNull();
  expect(users.asked).toBe(2);
  for (const nonsense of ['', 'a.b.c', `${old.token}x`]) expect(await tokenKeys.verify(nonsense)).toBeNull();
  expect(users.asked).toBe(2);
});
