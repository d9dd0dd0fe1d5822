import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(import.meta.dirname, 'crash-matrix.ts'), ...args], {
    encoding: 'utf8',
    timeout: 20_000,
  });

test('--help tells what it takes and which rows there are, and runs nothing', () => {
  expect(run('--help')).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringMatching(/npm run chaos -- crash-matrix[\s\S]*--mode M[\s\S]*The rows:\n {2}\S+ +\S/),
  });
});

test.each([
  [['--no-such-option'], /^Unknown option '--no-such-option'; nothing was run/],
  [['--rows', 'none,neither'], /^--rows none,neither: there are no such rows; nothing was run[\s\S]*The rows:/],
  [['--orders', '0'], /^--orders 0: a whole number of at least 1 is needed; nothing was run/],
  [['--seed', 'x'], /^--seed x: a whole number/],
  [['--mode', 'twice'], /^--mode twice: exactly_once or at_least_once is needed; nothing was run/],
  [['--seed'], /^Option '--seed <value>' argument missing; nothing was run/],
])('%j is refused with how it is used, without a stack', (args, why) => {
  const { status, stderr, stdout } = run(...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(why);
  expect(stderr).toContain('npm run chaos -- crash-matrix');
  expect(stderr).not.toMatch(/^ +at /m);
});
