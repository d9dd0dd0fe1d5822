import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second (`sysconf(_SC_CLK_TCK)`). */
const tickMs = 10;

interface ProcessTimes {
  readonly parent: number;
  readonly cpuMs: number;
}

/** CPU time of a process so far, with that of children of its that have ended; see proc_pid_stat(5). Null when it has gone. */
function timesOf(pid: string): ProcessTimes | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may have blanks; the first is field 3
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), cpuMs: ticks * tickMs };
  } catch {
    return null;
  }
}

/** CPU time of a process and all that descend from it, in ms. */
function treeCpuMs(ancestor: number): number {
  const all = new Map<number, ProcessTimes>();
  for (const name of readdirSync('/proc')) {
    const times = /^\d+$/.test(name) ? timesOf(name) : null;
    if (times !== null) all.set(Number(name), times);
  }
  const descends = (pid: number): boolean => {
    for (let one = pid; one > 1; one = all.get(one)?.parent ?? 0) if (one === ancestor) return true;
    return false;
  };
  return [...all].reduce((sum, [pid, { cpuMs }]) => sum + (descends(pid) ? cpuMs : 0), 0);
}

/** CPU time of everything on this machine so far, in ms: user, nice, system, irq, softirq and what the hypervisor gave to others. */
function machineCpuMs(): number {
  const line = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(' ').map(Number);
  return (user + nice + system + irq + softirq + steal) * tickMs;
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const readTimes = (ancestors: readonly number[]) => ({
  at: performance.now(),
  machine: machineCpuMs(),
  trees: ancestors.map(treeCpuMs),
  own: ownCpuMs(),
});

/** How many cores were busy since it was made, in the mean: with each of these processes and those below it, and with none of them and not with us. */
export class BusyCores {
  readonly #ancestors: readonly number[];
  readonly #since: ReturnType<typeof readTimes>;

  constructor(ancestors: readonly number[]) {
    this.#ancestors = ancestors;
    this.#since = readTimes(ancestors);
  }

  get busy(): { readonly trees: readonly number[]; readonly others: number } {
    const now = readTimes(this.#ancestors);
    const since = this.#since;
    const ms = now.at - since.at;
    const trees = now.trees.map((cpuMs, index) => (cpuMs - (since.trees[index] ?? 0)) / ms);
    const ours = trees.reduce((sum, cores) => sum + cores, (now.own - since.own) / ms);
    return { trees, others: Math.max(0, (now.machine - since.machine) / ms - ours) };
  }
}
