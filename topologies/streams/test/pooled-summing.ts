// The running sums as a module of a pool, and, run as a program, such a pool of two threads: SIGUSR2 makes one of them throw, SIGTERM closes it.
import { StreamsPool, type Topology } from '../index.ts';
import { applicationId, summing } from './summing.ts';

/** @param fault one thread that finds a 1 in it throws, outside of everything, and leaves a 0 */
export function build(_builder: unknown, fault: SharedArrayBuffer): Topology {
  const state = new Int32Array(fault);
  setInterval(() => {
    if (Atomics.compareExchange(state, 0, 1, 0) === 1) throw new Error('a fault of this thread');
  }, 5);
  return summing();
}

if (import.meta.main) {
  const [bootstrapServers = '', stateDir = '', instanceId = ''] = process.argv.slice(2);
  const fault = new SharedArrayBuffer(4);
  const pool = new StreamsPool({
    applications: [{ applicationId, module: import.meta.url, data: fault }],
    workers: 2,
    bootstrapServers,
    stateDir,
    instanceId,
    log: (level, event, message, fields) => console.log(JSON.stringify({ level, event, message, ...fields })),
  });
  pool.state$.subscribe((state) => console.log(JSON.stringify({ event: 'state', state })));
  process.on('SIGUSR2', () => Atomics.store(new Int32Array(fault), 0, 1));
  process.once('SIGTERM', () => void pool.close());
  await pool.start();
}
