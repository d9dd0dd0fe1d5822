// The running sums as a module of a pool, and, run as a program, such a pool of two threads: SIGUSR2 makes one of them throw, SIGTERM closes it.
import { appendFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { StreamsPool, type Topology, type TracingOptions } from '../index.ts';
import { applicationId, summing } from './summing.ts';

export interface PooledData {
  /** One thread that finds a 1 in it throws, outside of everything, and leaves a 0. */
  readonly fault: SharedArrayBuffer;
  readonly from?: string;
  readonly to?: string;
  /** A file that takes a line for each span, and for each thread that has closed. */
  readonly spans?: string;
}

export function build(_builder: unknown, { fault, from, to, spans }: PooledData): Topology {
  if (!isMainThread) {
    const state = new Int32Array(fault);
    setInterval(() => {
      if (Atomics.compareExchange(state, 0, 1, 0) === 1) throw new Error('a fault of this thread');
    }, 5);
    spansTo = spans;
  }
  return summing(from, to);
}

let spansTo: string | undefined;
const note = (line: string): void => {
  if (spansTo !== undefined) appendFileSync(spansTo, `${line}\n`);
};

export const tracing = (): TracingOptions => ({
  contextOf: (parent) => parent,
  tracer: {
    startSpan: (name) => ({
      spanContext: () => ({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }),
      setAttribute: () => {},
      setStatus: () => {},
      end: () => note(name),
    }),
  },
});

export const onClosed = async (): Promise<void> => {
  await setImmediate(); // a thread that is gone writes nothing more
  note('closed');
};

if (import.meta.main) {
  const [bootstrapServers = '', stateDir = '', instanceId = ''] = process.argv.slice(2);
  const fault = new SharedArrayBuffer(4);
  const pool = new StreamsPool({
    applications: [{ applicationId, module: import.meta.url, data: { fault } satisfies PooledData }],
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
