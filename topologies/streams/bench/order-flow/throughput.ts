import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, Trial } from './bench.ts';
import { type CpuTimes, CpuWatch } from './cpu-time.ts';
import type { RunningApplication } from './running-application.ts';
import type { Side } from './sides.ts';
import { outputTopics, partitions } from './topology.ts';

export interface Throughput {
  /** From the first input that was decoded to the commit of the last output. */
  readonly inputsPerSecond: number;
  /** Likewise from where half of the status records were written: what has been compiled by then is warm. */
  readonly secondHalf: number;
  readonly cpuMicrosPerInput: number;
  readonly brokerCpuMicrosPerInput: number;
  readonly othersCores: number;
  readonly peakRssMb: number;
  readonly startUpMs: number;
}

export interface Finished {
  readonly firstMs: number;
  readonly halfMs: number;
  readonly lastMs: number;
  /** Between first and last. */
  readonly cpu: CpuTimes;
}

const pollMs = 20;
const stalledMs = 90_000;

/**
 * Waits until every order has its status and the logs of both outputs have not grown for longer than a commit takes. What a log grows by last is the
 * marker of the last transaction (or, without transactions, the last record), so that is when the last output was committed, ± 20 ms.
 */
export async function finished(bench: Bench, trial: Trial, app: RunningApplication): Promise<Finished> {
  const { kafka, orders, brokerPid } = bench;
  const first = await app.until('first');
  const watch = new CpuWatch(app.pid, brokerPid);
  const { orderStatus, bookSales } = outputTopics(trial.outputs);
  const parts = [orderStatus, bookSales].flatMap(({ name }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  );
  const quietMs = 1_500 + Number(bench.commit);
  let [written, lastMs, halfMs, cpu] = [-1, Date.now(), 0, watch.times];
  for (;;) {
    app.check();
    const ends = [...(await kafka.endOffsets(parts))];
    const now = Date.now();
    const sum = (topic: string): number =>
      ends.reduce((total, [name, end]) => (name.startsWith(`${topic}-`) ? total + end : total), 0);
    const statuses = sum(orderStatus.name);
    const all = statuses + sum(bookSales.name);
    if (all !== written) {
      [written, lastMs, cpu] = [all, now, watch.times];
    }
    if (halfMs === 0 && statuses >= orders / 2) halfMs = now;
    if (statuses >= orders && now - lastMs > quietMs) break;
    if (now - lastMs > stalledMs)
      throw new Error(
        `nothing more came for ${stalledMs / 1_000} s, with ${statuses} of ${orders} status records; the round was given up`,
      );
    await sleep(pollMs);
  }
  return { firstMs: first.t, halfMs, lastMs, cpu };
}

/** One run of a side over all that was loaded. @throws when an output is wrong */
export async function throughput(bench: Bench, side: Side, round: number): Promise<Throughput> {
  using trial = await Trial.of(bench, side, `round-${round}`);
  await using app = trial.start();
  const { firstMs, halfMs, lastMs, cpu } = await finished(bench, trial, app);
  const { peakRssMb } = app;
  const start = await app.until('start');
  const running = await app.until('running');
  await app.stop();
  await trial.verify();
  const inputs = 3 * bench.orders;
  return {
    inputsPerSecond: (inputs * 1_000) / (lastMs - firstMs),
    secondHalf: (inputs * 500) / (lastMs - halfMs),
    cpuMicrosPerInput: (cpu.appMs * 1_000) / inputs,
    brokerCpuMicrosPerInput: (cpu.brokerMs * 1_000) / inputs,
    othersCores: cpu.othersCores,
    peakRssMb,
    startUpMs: running.t - start.t,
  };
}
