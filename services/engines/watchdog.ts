import { type ChildProcess, spawn } from 'node:child_process';

/**
 * One small shell a parent: it hears of every child through its standard input and, when that ends (we exited or were killed with
 * SIGKILL), ends those that are left. A signal handler cannot do this, because nothing of ours runs after a SIGKILL.
 */
const script = `
trap '' INT TERM HUP
left=''
while read -r signal pid; do
  if [ "$signal" = done ]; then left=$(echo "$left" | tr ' ' '\\n' | grep -v ":$pid$" | tr '\\n' ' ')
  else left="$left $signal:$pid"; fi
done
[ -n "$(echo $left)" ] || exit 0
for one in $left; do kill -s "\${one%%:*}" "\${one##*:}" 2>/dev/null; done
tries=0
while [ $tries -lt 100 ]; do
  alive=''
  for one in $left; do kill -0 "\${one##*:}" 2>/dev/null && alive=yes; done
  [ -n "$alive" ] || exit 0
  sleep 0.1
  tries=$((tries + 1))
done
for one in $left; do kill -s KILL "\${one##*:}" 2>/dev/null; done
`;

let shell: ChildProcess | null = null;

function say(line: string): void {
  if (shell === null) {
    shell = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    shell.on('error', () => undefined); // without a shell children may outlive a SIGKILL; all else works
    shell.stdin?.on('error', () => undefined);
    shell.unref();
    // The pipe must not keep us alive; it ends when we do, which is the signal.
    (shell.stdin as unknown as { unref?: () => void } | null)?.unref?.(); // a net.Socket, typed as Writable
  }
  shell.stdin?.write(`${line}\n`);
}

export const watch = (pid: number, signal: NodeJS.Signals): void => say(`${signal.replace(/^SIG/, '')} ${pid}`);
export const unwatch = (pid: number): void => say(`done ${pid}`);
