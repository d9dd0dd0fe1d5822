// Are the API's types in src/lib/api/graphql-env.d.ts those of the gateway's schema? Generates them again beside the old ones and compares.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const committed = 'src/lib/api/graphql-env.d.ts';
const folder = mkdtempSync(join(tmpdir(), 'bookstream-types-'));
try {
  const fresh = join(folder, 'graphql-env.d.ts');
  execFileSync('gql.tada', ['generate-output', '--output', fresh], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (readFileSync(fresh, 'utf8') !== readFileSync(committed, 'utf8')) {
    console.error(`web/${committed} is not what the schema says. Run \`npm run types -w web\` and commit the file.`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
