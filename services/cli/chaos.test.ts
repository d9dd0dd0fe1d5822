import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(import.meta.dirname, 'chaos.mjs'), ...args], { encoding: 'utf8', timeout: 20_000 });

test.each([[[]], [['--help']], [['crash', '-h']]])(
  '%j lists the proofs and their options, and runs nothing',
  (args) => {
    const { status, stdout, stderr } = run(...args);
    expect([status, stderr]).toEqual([0, '']);
    for (const name of ['crash', 'simulation', 'crash-matrix'])
      expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'));
    expect(stdout).toMatch(/^ {2}--rounds N/m);
  },
);

test.each([
  [['crash', '--round', '2'], /^Unknown option '--round'; nothing was run/],
  [['crash', '--rounds'], /^Option '--rounds <value>' argument missing; nothing was run/],
  [['crash', '--rounds', '0'], /^--rounds 0: a whole number of at least 1 is needed; nothing was run/],
  [['simulation', '--seed', 'x'], /^--seed x: a whole number of at least 0/],
  [['toString'], /^there is no proof "toString"; nothing was run/],
  [['--seed', '1'], /^which proof is not said; nothing was run/],
  [['crash', 'simulation'], /^simulation: one name at a time/],
  [['--seed', '1', 'crash-matrix'], /^crash-matrix must come before its options/],
])('%j is refused with how it is used, without a stack', (args, why) => {
  const { status, stderr, stdout } = run(...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(why);
  expect(stderr).toContain('npm run chaos -- NAME [options]');
  expect(stderr).not.toMatch(/^ +at /m);
});
