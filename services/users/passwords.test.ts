import { hash } from '@node-rs/argon2';
import { expect, test } from 'vitest';
import { argon2, hashPassword, isOutdated, passwordMatches, weakness } from './passwords.ts';

test('a hash is argon2id with 19 MiB, two passes, one lane', async () => {
  expect(await hashPassword('a rather long password')).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
});

test('a password matches its own hash only, however its accents are typed', async () => {
  const composed = 'caf\u00e9 au lait, s\u2019il vous pla\u00eet';
  const phc = await hashPassword(composed);
  expect(await passwordMatches(phc, composed.normalize('NFD'))).toBe(true);
  expect(await passwordMatches(phc, `${composed} `)).toBe(false);
  expect(await passwordMatches(null, composed)).toBe(false);
});

test('an unknown user takes as long as a wrong password', async () => {
  const phc = await hashPassword('a rather long password');
  await passwordMatches(null, 'warm up, so that the dummy hash is made');
  const time = async (target: string | null): Promise<number> => {
    const start = performance.now();
    await passwordMatches(target, 'some wrong password');
    return performance.now() - start;
  };
  const known: number[] = [];
  const unknown: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    known.push(await time(phc));
    unknown.push(await time(null));
  }
  const least = (times: number[]): number => Math.min(...times);
  expect(least(unknown)).toBeGreaterThan(least(known) / 3); // without the dummy hash it is a hundredth
});

test('an older, weaker hash is recognised', async () => {
  expect(isOutdated(await hashPassword('a rather long password'))).toBe(false);
  expect(isOutdated(await hash('a rather long password', { ...argon2, memoryCost: 8192 }))).toBe(true);
  expect(isOutdated(await hash('a rather long password', { ...argon2, algorithm: 1 }))).toBe(true);
});

test.each([
  ['eleven char', 'at least 12'],
  ['x'.repeat(12), 'tried first'],
  ['xY9!'.repeat(33), 'at most 128'],
  ['Password1234', 'tried first'],
  ['abcabcabcabcab', 'tried first'],
  ['ada@bookstream.test', 'e-mail address'],
])('%s is refused', (password, why) => {
  expect(weakness(password, 'ada@bookstream.test')).toContain(why);
});

test.each(['bookstream-demo', 'a rather long password', `${'\u{1F40B}'.repeat(3)} the white whale`])(
  '%s is taken',
  (password) => {
    expect(weakness(password, 'ada@bookstream.test')).toBeNull();
  },
);

test('twelve composed characters are twelve, however they are typed', () => {
  expect(weakness('\u00e9l\u00e9phant tr\u00e8'.normalize('NFD'), 'a@b.c')).toBeNull();
  expect(weakness('\u00e9l\u00e9phant tr'.normalize('NFD'), 'a@b.c')).toContain('11 characters');
});
