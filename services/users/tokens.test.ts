import { createHmac } from 'node:crypto';
import { createLocalJWKSet, exportJWK, exportSPKI, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { InvalidTokenError } from './errors.ts';
import { audience, issuer, verifyAccessToken } from './tokens.ts';

const pair = await generateKeyPair('ES256', { extractable: true });
const publicJwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' };
const keys = createLocalJWKSet({ keys: [publicJwk] });
const userId = 'f1c1b6a0-0000-4000-8000-000000000001';
const now = Math.floor(Date.now() / 1000);

const good = {
  iss: issuer,
  aud: audience,
  sub: userId,
  jti: 'j1',
  iat: now,
  exp: now + 600,
  role: 'SHOPPER',
  sid: 'family',
};
const goodHeader: JWTHeaderParameters = { alg: 'ES256', typ: 'at+jwt', kid: 'k1' };
const signed = (claims: object, header: Partial<JWTHeaderParameters> = {}, key = pair.privateKey): Promise<string> =>
  new SignJWT({ ...good, ...claims }).setProtectedHeader({ ...goodHeader, ...header }).sign(key);
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token of ours is read', async () => {
  expect(await verifyAccessToken(await signed({}), keys)).toEqual({
    userId,
    role: 'SHOPPER',
    familyId: 'family',
    expiresAtMs: (now + 600) * 1000,
  });
});

describe('refused:', () => {
  const stranger = generateKeyPair('ES256');
  const cases: Readonly<Record<string, () => Promise<string>>> = {
    'no signature (alg none)': async () => `${base64({ ...goodHeader, alg: 'none' })}.${base64(good)}.`,
    'HS256 with the public key as its secret': async () => {
      const text = `${base64({ ...goodHeader, alg: 'HS256' })}.${base64(good)}`;
      const secret = await exportSPKI(pair.publicKey);
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    },
    expired: () => signed({ iat: now - 700, exp: now - 60 }),
    'without an end': () => signed({ exp: undefined }),
    'not yet valid': () => signed({ nbf: now + 60 }),
    'another audience': () => signed({ aud: 'elsewhere' }),
    'another issuer': () => signed({ iss: 'elsewhere' }),
    'another type (an ID token)': () => signed({}, { typ: 'JWT' }),
    'no subject': () => signed({ sub: undefined }),
    'no id': () => signed({ jti: undefined }),
    'a role we do not have': () => signed({ role: 'ROOT' }),
    'the key of somebody else': async () => signed({}, {}, (await stranger).privateKey),
    'an unknown key id': () => signed({}, { kid: "../k1' or 1=1" }),
    'a key that the token brings along': async () => {
      const other = await stranger;
      return signed({}, { kid: 'k2', jwk: await exportJWK(other.publicKey) }, other.privateKey);
    },
    'a key that stands elsewhere': async () =>
      signed({}, { kid: 'k2', jku: 'http://localhost:1/keys' }, (await stranger).privateKey),
    'changed claims under the old signature': async () => {
      const [header, , signature] = (await signed({})).split('.');
      return `${header}.${base64({ ...good, role: 'ADMIN' })}.${signature}`;
    },
    'not a token': async () => 'hello',
    nothing: async () => '',
  };
  test.each(Object.entries(cases))('%s', async (_, make) => {
    await expect(verifyAccessToken(await make(), keys)).rejects.toThrow(InvalidTokenError);
  });
});
