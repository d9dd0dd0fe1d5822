// Runs before anything is installed, so it is plain JavaScript that Node 20 can run.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const bin = join(root, 'node_modules', '.bin');
const stamp = join(root, 'node_modules', '.bookstream-lock');

/** Environment in which `node` is the pinned Node 24 and every tool of the workspaces is on the PATH. */
export const toolEnv = (extra = {}) => ({
  ...process.env,
  PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
  ...extra,
});

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');

/** Installs the locked packages when node_modules is missing or was made from another lockfile. Exits with one line when it cannot. */
export function installPackages(say = (line) => console.error(line)) {
  const wanted = lockHash();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const started = Date.now();
  say('installing packages (npm ci) …');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (result.status !== 0) {
    const tail = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-20).join('\n');
    say(
      `npm ci failed; nothing was started. Its last lines:\n${tail}\nCure: check the network and the disk, then run the command again.`,
    );
    process.exit(3);
  }
  writeFileSync(stamp, wanted);
  say(`packages installed in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

/** Runs a tool of the workspaces under Node 24 and gives its exit code; the output goes where ours goes. */
export function run(command, args, { env = {}, cwd = root } = {}) {
  const result = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], env: toolEnv(env) });
  return result.status ?? 1;
}
