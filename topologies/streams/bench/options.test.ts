import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const benches = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.bench.ts'))
  .map((name) => join(import.meta.dirname, name));

const run = (file: string, args: readonly string[]) =>
  spawnSync(process.execPath, [file, ...args], { encoding: 'utf8', timeout: 20_000 });

describe.each(benches)('%s', (file) => {
  test('--help tells what it takes, and measures nothing', () => {
    expect(run(file, ['--help'])).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('npm run bench --'),
    });
  });

  test.each([['--no-such-option'], ['--rounds=-1', '--keys=many']])(
    '%s is refused with the same, without a stack',
    (...args) => {
      const { status, stderr, stdout } = run(file, args);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/; nothing was measured\.\n\n[\s\S]*npm run bench --/);
      expect(stderr).not.toMatch(/^ +at /m);
    },
  );
});
