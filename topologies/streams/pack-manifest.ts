// Inside the repository `exports` name sources, in a tarball what was built of them. npm packs the manifest that it finds, and of
// `publishConfig` it takes registry settings only (pnpm takes `exports` too), so `prepack` puts another one there and `postpack` puts it back.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const manifest = join(import.meta.dirname, 'package.json');
/** Outside of what is packed. Still there at the next start: the last packing was ended in the middle. */
const kept = join(import.meta.dirname, 'build', 'package.json');

if (process.argv[2] === 'restore') {
  if (existsSync(kept)) renameSync(kept, manifest);
} else {
  const text = readFileSync(manifest, 'utf8');
  const { publishConfig, ...rest } = JSON.parse(text); // the scripts stay: the next pack needs them, should this one be ended in the middle
  mkdirSync(join(kept, '..'), { recursive: true });
  writeFileSync(kept, text);
  writeFileSync(manifest, `${JSON.stringify({ ...rest, exports: publishConfig.exports }, null, 2)}\n`);
}
