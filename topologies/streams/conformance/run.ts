import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from './case.ts';
import { runCase } from './run-case.ts';

/** `npm run conformance -- FILE|FOLDER…`: tells each case that does not pass, with the difference, and closes with the counts. */
const filesOf = (path: string): readonly string[] =>
  statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => join(path, name))
    : [path];

const paths = process.argv.slice(2);
const files = (paths.length === 0 ? [join(import.meta.dirname, 'cases')] : paths).flatMap(filesOf);
const count = { passed: 0, failed: 0, unsupported: 0 };

for (const file of files) {
  const cases: readonly Case[] = JSON.parse(readFileSync(file, 'utf8'));
  for (const one of cases) {
    const verdict = runCase(one);
    count[verdict.kind] += 1;
    if (verdict.kind === 'failed') console.log(`FAILED ${one.id}: ${one.title}\n  ${verdict.difference}`);
    if (verdict.kind === 'unsupported') console.log(`UNSUPPORTED ${one.id}: ${verdict.what}`);
  }
}

// A case that cannot be run is not conformed to either.
const failed = count.failed + count.unsupported;
console.log(
  `${count.passed} passed, ${failed} failed${count.unsupported > 0 ? ` (${count.unsupported} of them unsupported)` : ''}`,
);
process.exitCode = failed > 0 ? 1 : 0;
