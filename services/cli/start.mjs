// `npm start`: runs before anything is installed, so it is plain JavaScript that Node 20 can run. Installs what is missing, then hands over to
// `bookstream up` under Node 24.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages, root, toolEnv } from './install.mjs';

installPackages();

const child = spawn('node', [join(root, 'services', 'cli', 'bookstream.ts'), 'up', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: toolEnv({
    BOOKSTREAM_PARENT: String(process.pid),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --disable-warning=TimeoutNegativeWarning`,
  }),
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));

// npm that is killed tells nobody; then there is nobody left to press Ctrl-C either. Between npm and us stands a shell that outlives it.
const parentOf = (pid) => {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[1]);
  } catch {
    return null; // no /proc here, or the process is gone
  }
};
const family = () => `${process.ppid} ${parentOf(process.ppid)}`;
if (process.env.npm_lifecycle_event !== undefined) {
  const begun = family();
  setInterval(() => {
    if (family() !== begun) child.kill('SIGTERM');
  }, 1000).unref();
}
child.on('error', (error) => {
  console.error(`bookstream was not started: ${error.message}. Cure: remove node_modules and run the command again.`);
  process.exit(3);
});
child.on('exit', (code) => process.exit(code ?? 1));
