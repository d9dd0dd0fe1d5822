import { type Bench, Trial } from './bench.ts';
import type { Side } from './sides.ts';
import { finished } from './throughput.ts';

export interface Restore {
  readonly recordsPerSecond: number;
  readonly records: number;
  /** From the start of the process to RUNNING. */
  readonly startUpMs: number;
  readonly peakRssMb: number;
}

/** Lets a side do all its work, takes its local state away, and starts it again. */
export async function restore(bench: Bench, side: Side, round: number): Promise<Restore> {
  using trial = await Trial.of(bench, side, `restore-${round}`);
  {
    await using before = trial.start();
    await finished(bench, trial, before);
    await before.stop();
  }
  trial.wipe();
  await using app = trial.start();
  const running = await app.until('running');
  const start = await app.until('start');
  const told = app.told.filter(({ event }) => event === 'restored');
  const records = told.reduce((sum, one) => sum + (one.records ?? 0), 0);
  const ms = Math.max(1, ...told.map((one) => one.ms ?? 0)); // its parts restore at the same time
  if (records === 0) throw new Error(`${side.name} had nothing to restore, and its state had been taken away`);
  const { peakRssMb } = app;
  await app.stop();
  await trial.verify();
  return { recordsPerSecond: (records * 1_000) / ms, records, startUpMs: running.t - start.t, peakRssMb };
}
