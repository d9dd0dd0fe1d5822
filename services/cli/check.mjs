// `npm run check`: everything that can be judged without running the platform. Each step says its name and time; all run, then the verdict.
import { installPackages, run } from './install.mjs';

installPackages();

const steps = [
  ['format and lint', 'biome', ['ci', '--colors=off', '--error-on-warnings', '.']],
  ['types', 'tsc', ['--noEmit']],
];

const failed = [];
for (const [name, command, args, options] of steps) {
  const started = Date.now();
  const status = run(command, args, options);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}`);
  process.exit(1);
}
