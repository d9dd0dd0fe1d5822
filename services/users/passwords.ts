import { hash, type Options, parseOptions, verify } from '@node-rs/argon2';
import { commonPasswords } from './common-passwords.ts';
import { TooManyLoginsError } from './errors.ts';

/** The floor that OWASP's password storage page gives for argon2id; memory in KiB. Raising a number re-hashes at the next login. */
export const argon2 = {
  algorithm: 2, // Argon2id; the library's enum is `const` and does not exist at run time
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
} as const satisfies Options;

/** As many hashes at once as there may be: each takes 19 MiB and a core, and a storm of logins must not take the machine. */
const maxAtOnce = 3;
/** Beyond this a caller is refused at once: it would have waited some 5 seconds. */
const maxWaiting = 200;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting.length >= maxWaiting) throw new TooManyLoginsError(waiting.length);
  if (running >= maxAtOnce) await new Promise<void>((go) => waiting.push(go));
  else running += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift(); // hands its own turn on, so a newcomer cannot overtake
    if (next) next();
    else running -= 1;
  }
}

/** What a keyboard types in two ways is one password (NIST SP 800-63B, 3.1.1.2). */
const normalise = (password: string): string => password.normalize('NFC');

/**
 * Why a new password cannot be taken, in a sentence, or null if it can.
 * Lengths count code points: 12 to 128. There are no rules of composition.
 */
export function weakness(password: string, email: string): string | null {
  const normal = normalise(password);
  const length = [...normal].length;
  if (length < 12) return `The password has ${length} characters; take at least 12.`;
  if (length > 128) return `The password has ${length} characters; take at most 128.`;
  const folded = normal.toLowerCase();
  if (folded === email.toLowerCase()) return 'The password is the e-mail address; take another one.';
  if (commonPasswords.has(folded) || /^(.{1,4})\1+.{0,3}$/u.test(folded)) {
    return 'The password is one of those that are tried first; take another one.';
  }
  return null;
}

/** A PHC string with a fresh salt. */
export const hashPassword = (password: string): Promise<string> => inTurn(() => hash(normalise(password), argon2));

/** A hash that nobody knows the password of: an unknown e-mail costs the same time as a wrong password. */
let nobody: Promise<string> | undefined;
/** Made at the start, so that the first unknown e-mail is not told by its longer wait. */
export const prepare = async (): Promise<void> => {
  nobody ??= inTurn(() => hash(crypto.randomUUID(), argon2));
  await nobody;
};

/**
 * Compares in the same time whether or not there is such a user.
 * @param phc the stored hash, or null for an unknown user, who is always refused
 */
export async function passwordMatches(phc: string | null, password: string): Promise<boolean> {
  nobody ??= inTurn(() => hash(crypto.randomUUID(), argon2));
  const target = phc ?? (await nobody);
  const matches = await inTurn(() => verify(target, normalise(password)));
  return phc !== null && matches;
}

/** True if the hash was made with weaker parameters than today's. */
export function isOutdated(phc: string): boolean {
  const made = parseOptions(phc);
  return (
    made.algorithm !== argon2.algorithm || // an argon2d or argon2i hash of elsewhere
    made.memoryCost < argon2.memoryCost ||
    made.timeCost < argon2.timeCost
  );
}
