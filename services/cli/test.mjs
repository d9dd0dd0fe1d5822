// `npm test`: installs what is missing, runs every test (real engines included) and closes with the counts.
// With arguments they go to vitest as they are: `npm test -- --project unit`.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages, run } from './install.mjs';

installPackages();

/** The platform of the e2e tests is up as long as its runner: it must not stand beside the engines of the other tests. */
const everything = [
  ['--project', 'unit', '--project', 'int'],
  ['--project', 'e2e'],
];
const given = process.argv.slice(2);

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const [index, args] of (given.length > 0 ? [given] : everything).entries()) {
  const report = join(tmpdir(), `bookstream-test-${process.pid}-${index}.json`);
  const status = run('vitest', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args,
  ]);
  const counts = countsIn(report);
  rmSync(report, { force: true });
  sum.passed += counts.passed;
  sum.skipped += counts.skipped;
  // A file that cannot be loaded and an error outside of any test fail the run without a failed test.
  sum.failed += status === 0 ? counts.failed : Math.max(1, counts.failed);
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exit(sum.failed > 0 || sum.passed === 0 ? 1 : 0);

function countsIn(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
  } catch {
    console.error('the test runner left no report: it did not start or was ended from outside');
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
