import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** What of a person stands in users.events, readable only as long as their key exists. */
export interface Personal {
  readonly email: string;
  readonly displayName: string;
}

const nonceBytes = 12;
const tagBytes = 16;

/** A fresh AES-256 key of one person. */
export const newPersonalKey = (): Uint8Array => randomBytes(32);

/** AES-256-GCM: nonce, ciphertext, tag. The user id is bound in, so that a sealed value cannot be moved to another user. */
export function seal(key: Uint8Array, userId: string, personal: Personal): Uint8Array {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(userId));
  const { email, displayName } = personal;
  const text = Buffer.concat([cipher.update(JSON.stringify({ email, displayName }), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, text, cipher.getAuthTag()]);
}

/** @throws if the key, the user or a byte is not the one it was sealed with */
export function unseal(key: Uint8Array, userId: string, sealed: Uint8Array): Personal {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes));
  decipher.setAAD(Buffer.from(userId));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const text = Buffer.concat([
    decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes)),
    decipher.final(),
  ]);
  return JSON.parse(text.toString('utf8')) as Personal; // authenticated above: only `seal` makes it
}
