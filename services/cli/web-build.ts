import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../engines/errors.ts';
import { ManagedProcess } from '../engines/process.ts';
import { root } from './running.ts';

const web = join(root, 'web');

/** What the built page depends on. */
const sources = [
  join(web, 'src'),
  join(web, 'static'),
  join(web, 'package.json'),
  join(web, 'vite.config.ts'),
  join(root, 'services', 'gateway', 'schema.graphql'),
];

function newest(path: string): number {
  if (!existsSync(path)) return 0;
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** True when the page was never built or something it is made of is newer. */
export function pageIsStale(): boolean {
  const built = join(web, 'build', 'index.html');
  return !existsSync(built) || statSync(built).mtimeMs < Math.max(...sources.map(newest));
}

/** @throws EngineError with the last lines of the build */
export async function buildPage(dataDir: string): Promise<void> {
  await mkdir(join(dataDir, 'logs'), { recursive: true });
  const build = await ManagedProcess.launch({
    name: 'the page',
    command: 'npm',
    args: ['run', 'build', '-w', 'web', '--loglevel=error'],
    cwd: root,
    logFile: join(dataDir, 'logs', 'web-build.log'),
  });
  const how = await build.exited;
  if (how !== 'exit 0') {
    throw new EngineError('the page', `The page was not built (${how}).`, {
      cure: 'mend what the lines above name, or start without it: `npm start -- --no-web`.',
      logTail: build.tail(),
    });
  }
}
