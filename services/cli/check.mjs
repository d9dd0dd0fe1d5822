// `npm run check`: everything that can be judged without running the platform. Each step says its name and time; all run, then the verdict.
import { join } from 'node:path';
import { installPackages, root, run } from './install.mjs';

installPackages();

const steps = [
  ['format and lint', 'biome', ['ci', '--colors=off', '--error-on-warnings', '.']],
  ['format of Svelte files', 'prettier', ['--check', '--log-level=warn', 'web/**/*.svelte']],
  ['types', 'tsc', ['--noEmit']],
  ['types of Svelte files and queries', 'npm', ['run', '--silent', 'check'], { cwd: join(root, 'web') }],
  ['generated types are those of the schemas', 'node', ['schemas/generate-types.ts', '--check']],
  ['schemas fit their history', 'node', ['services/cli/bookstream.ts', 'schemas', 'check']],
  ['nothing is left unused', 'knip', ['--no-progress']],
];

const failed = [];
for (const [name, command, args, options] of steps) {
  const started = Date.now();
  const status = run(command, args, options);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}. Cure for format: npm run format`);
  process.exit(1);
}
