import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { inject } from 'vitest';

/** The `bookstream` command beside the platform of the tests, as an operator would type it. */
export function bookstream(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { dataDir } = inject('platform');
  const child: ChildProcess = spawn(
    process.execPath,
    [join(import.meta.dirname, '..', 'cli', 'bookstream.ts'), ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, BOOKSTREAM_DATA: dataDir, ...env },
    },
  );
  const output = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    output.out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    output.err += chunk;
  });
  const ended = new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...output })),
  );
  return { child, ended };
}
