import { readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second (`sysconf(_SC_CLK_TCK)`). */
const tickMs = 10;

/** CPU time of all threads of a process so far, user and system, in ms. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may have blanks; the first is field 3, see proc(5)
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** CPU time of everything on this machine so far, in ms: user, nice, system, irq, softirq and what the hypervisor gave to others. */
function machineCpuMs(): number {
  const line = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(' ').map(Number);
  return (user + nice + system + irq + softirq + steal) * tickMs;
}

export interface CpuTimes {
  readonly wallMs: number;
  readonly appMs: number;
  readonly brokerMs: number;
  /** Cores that were busy with none of application, broker and benchmark, in the mean: rounds are worth comparing while this is near 0. */
  readonly othersCores: number;
}

/** Where CPU time goes from now on. */
export class CpuWatch {
  readonly #pids: readonly [app: number, broker: number];
  readonly #since: readonly number[];

  constructor(appPid: number, brokerPid: number) {
    this.#pids = [appPid, brokerPid];
    this.#since = this.#now();
  }

  get times(): CpuTimes {
    const [wallMs = 0, machineMs = 0, ownMs = 0, appMs = 0, brokerMs = 0] = this.#now().map(
      (value, index) => value - (this.#since[index] ?? 0),
    );
    return { wallMs, appMs, brokerMs, othersCores: Math.max(0, (machineMs - ownMs - appMs - brokerMs) / wallMs) };
  }

  #now(): readonly number[] {
    return [performance.now(), machineCpuMs(), cpuMsOf(process.pid), ...this.#pids.map(cpuMsOf)];
  }
}
