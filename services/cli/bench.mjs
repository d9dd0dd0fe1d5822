// `npm run bench -- NAME`: finds `bench/NAME.bench.ts` beside what it measures and runs it under Node 24. Without a name, and with --help, it lists them.
import { readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { installPackages, root, run } from './install.mjs';

installPackages();

const ending = '.bench.ts';
const found = ['schemas', 'topologies', 'services', 'projections', 'web'].flatMap((part) =>
  readdirSync(join(root, part), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.endsWith(ending) && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name)),
);
const nameOf = (file) => basename(file, ending);

const [wanted, ...rest] = process.argv.slice(2);
const isHelp = wanted === '--help' || wanted === '-h';
const file = found.find((one) => nameOf(one) === wanted);
if (file === undefined) {
  if (wanted !== undefined && !isHelp)
    console.error(`there is no benchmark ${JSON.stringify(wanted)}; nothing was measured. There are:`);
  for (const one of found)
    console.error(`  npm run bench -- ${nameOf(one).padEnd(16)} ${relative(root, dirname(dirname(one)))}`);
  process.exit(wanted === undefined || isHelp ? 0 : 2);
}
process.exit(run('node', [file, ...rest]));
