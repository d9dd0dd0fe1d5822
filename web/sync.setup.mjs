import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = dirname(fileURLToPath(import.meta.url));

/** SvelteKit generates the tsconfig that ours extends; on a fresh clone nothing in here could be transformed without it. */
export default function setup() {
  if (existsSync(join(web, 'node_modules', '$app', 'tsconfig.json'))) return;
  execFileSync(join(web, '..', 'node_modules', '.bin', 'svelte-kit'), ['sync'], {
    cwd: web,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
